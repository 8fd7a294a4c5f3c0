import express from "express";

/** The least an Express answer costs: the same bytes as a token answer, and nothing else. For `bench:token`. */
const app = express().disable("x-powered-by").disable("etag");
const body = {
  access_token: "x".repeat(64),
  token_type: "Bearer",
  expires_in: 1_800,
  padding: "x".repeat(260),
};
app.post("/v1/access-tokens", (_request, response) => void response.json(body));
const server = app.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address !== null && typeof address === "object") process.send?.({ ready: true, port: address.port });
});
