"""What the API promises, without HTTP."""
