import { z } from "zod";
import { path } from "./kinds.ts";
import type { Relation, Values } from "./relations.ts";
import { type environmentSettings, isProduction } from "./settings-process.ts";

/** What people see of the product, and what a firm's admin is handed. */

const PLAIN_CONTACT = "the operator of this broker";

export const packageSettings = {
  PACKAGE_TEMPLATE_DIR: path()
    .default("config/package")
    .describe(
      "Folder with the templates of the upload packages for Control Center, a folder for each kind: a firm's own copy may say what its iManage wants.",
    ),
};

export const productSettings = {
  SUPPORT_CONTACT: z
    .string()
    .max(200, "may have at most 200 characters")
    .default(PLAIN_CONTACT)
    .describe("Whom people are told to ask where only a person can help. Required in production."),
  PRODUCT_NAME: z
    .string()
    .max(80, "may have at most 80 characters")
    .default("Token Broker for iManage Work")
    .describe("What the pages and the registration sheets call this product."),
  PRODUCT_LOGO_FILE: path()
    .optional()
    .describe(
      "File with the logo that stands beside the name on every page: SVG without scripts and links, or PNG; at most 100 kB. Read at the start.",
    ),
};

export const productRelations: readonly Relation<
  Values<typeof productSettings & typeof environmentSettings>
>[] = [
  {
    setting: "SUPPORT_CONTACT",
    dependsOn: ["NODE_ENV"],
    holds: (c) => !isProduction(c) || c.SUPPORT_CONTACT !== PLAIN_CONTACT,
    message: "is required in production: an e-mail address, a telephone number or a page",
  },
];
