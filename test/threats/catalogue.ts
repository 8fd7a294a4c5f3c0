import type { Catalogue } from "../kit/promise.ts";
import { clientsThreats } from "./clients.ts";
import { operationThreats } from "./operation.ts";
import { outboundThreats } from "./outbound.ts";
import { signInThreats } from "./sign-in.ts";
import { storageThreats } from "./storage.ts";

/** What may be tried against this product. */
export const threats: Catalogue = {
  of: "threats",
  letter: "T",
  known: 40,
  promises: [...signInThreats, ...outboundThreats, ...storageThreats, ...clientsThreats, ...operationThreats],
};
