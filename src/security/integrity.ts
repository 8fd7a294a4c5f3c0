import { Problem } from "../domain/problem.ts";

/**
 * The one answer to everything that does not open. Which part was wrong is told to nobody: a decryption that explains
 * itself is an oracle (T22).
 */
export const integrityFailure = (): Problem => new Problem("integrity_failure");

/**
 * A key of the root keyset that a record names and we do not have. This one is told in full: the id is no secret, and
 * the operator cannot mend what is not named.
 */
export const rootKeyMissing = (id: string): Problem =>
  new Problem("integrity_failure", {
    detail: `Root key ${id} is needed and not usable: put it back into the root keyset as "active".`,
  });
