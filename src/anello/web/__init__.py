"""HTTP only: parse, call the service, shape the answer."""
