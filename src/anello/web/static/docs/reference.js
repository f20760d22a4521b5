// Relative, so that the page also works behind a proxy that serves it under a prefix.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: false, // a key does not belong in the browser's storage
  validatorUrl: null, // no badge from elsewhere
});
