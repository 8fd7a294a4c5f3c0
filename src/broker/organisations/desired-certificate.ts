import { z } from "zod";
import {
  CERTIFICATE_NAMES,
  type RegisteredCertificate,
  readThumbprint,
} from "../../domain/client-certificate.ts";
import { canonicalName } from "../../domain/distinguished-name.ts";
import { strict } from "./schema-words.ts";

const THUMBPRINTS_MAX = 4;

const said = (what: RegExp, example: string) =>
  z.string().max(1_024).regex(what, `must look like ${example}`).optional();

/** By what a client's certificate is known (RFC 8705 §2.1.2, §2.2.2), as a file or a request tells it. */
export const certificateSchema = z
  .union(
    [
      z.literal("none"),
      strict({
        subject_dn: z
          .string()
          .max(1_024)
          .refine(
            (text) => canonicalName(text) !== undefined,
            "must be a distinguished name as RFC 4514 writes it, the most particular part first: CN=matter-tracker,O=Meridian,C=GB",
          )
          .optional(),
        san_dns: said(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/, "app.example.com"),
        san_uri: said(/^[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+$/, "spiffe://firm.example/app"),
        san_ip: said(/^[0-9A-Fa-f.:]+$/, "10.1.2.3"),
        san_email: said(/^[\x21-\x3f\x41-\x7e]+@[A-Za-z0-9.-]+$/, "app@example.com"),
        thumbprints: z
          .array(
            z
              .string()
              .refine(
                (text) => readThumbprint(text) !== undefined,
                "must be the SHA-256 of a certificate, as openssl x509 -fingerprint -sha256 prints it",
              ),
          )
          .min(1, "must name a certificate")
          .max(THUMBPRINTS_MAX, `must name at most ${THUMBPRINTS_MAX}`)
          .optional(),
      }).refine(
        (told) => Object.values(told).filter((value) => value !== undefined).length === 1,
        "must say one of subject_dn, san_dns, san_uri, san_ip, san_email and thumbprints: of several names nobody could say which one counts",
      ),
    ],
    "must be none, or say one of subject_dn, san_dns, san_uri, san_ip, san_email and thumbprints",
  )
  .transform(toCertificate);

type Told =
  | "none"
  | ({ readonly [N in (typeof CERTIFICATE_NAMES)[number]]?: string | undefined } & {
      readonly thumbprints?: readonly string[] | undefined;
    });

function toCertificate(told: Told): RegisteredCertificate | "none" {
  if (told === "none") return told;
  for (const by of CERTIFICATE_NAMES) {
    const value = told[by];
    if (value !== undefined)
      return { by, value: by === "subject_dn" ? (canonicalName(value) ?? value) : value };
  }
  const values = (told.thumbprints ?? []).map((text) => readThumbprint(text) ?? text);
  return { by: "thumbprints", values: [...new Set(values)] };
}

/** For a plan: public, so it is told whole. */
export const certificateText = (certificate: RegisteredCertificate | "none" | undefined): string =>
  certificate === undefined || certificate === "none"
    ? "none"
    : certificate.by === "thumbprints"
      ? `SHA-256 ${certificate.values.join(" ")}`
      : `${certificate.by} ${certificate.value}`;
