import express from "express";
import request from "supertest";
import { expect, it } from "vitest";
import { certificateOf, takeCertificate } from "../../src/http/presented-certificate.ts";
import { clientAuthority, clientCert } from "../kit/mutual-tls.ts";

const app = (source: Parameters<typeof takeCertificate>[0]) =>
  express()
    .use(takeCertificate(source))
    .use((asked, response) => {
      const { headers, headersDistinct, rawHeaders } = asked;
      response.json({
        all: { headers, headersDistinct, rawHeaders },
        presented: certificateOf(asked) ?? null,
      });
    });
const told = clientCert(clientAuthority);

it.each(["none", "tls", "proxy"] as const)(
  "no code behind a listener with certificates from %s sees a header that names one (T07)",
  async (source) => {
    const { body, text, status } = await request(app(source))
      .get("/")
      .set("Client-Cert", told)
      .set("CLIENT-CERT-CHAIN", told)
      .set("Kept", "yes");
    expect(status, text).toBe(200);
    expect(JSON.stringify(body.all)).not.toMatch(/client-cert/i);
    expect(JSON.stringify(body.all)).not.toContain(told.slice(1, 40));
    expect(body.all.headers.kept).toBe("yes");
    expect(body.all.rawHeaders).toContain("Kept");
    if (source === "proxy") expect(body.presented.verified).toBe(false);
    else expect(body.presented).toBeNull();
  },
);
