import { expect, it } from "vitest";
import { secretExpiryToTell } from "../../src/domain/expiring-secret.ts";
import { days, hours } from "../../src/domain/instant.ts";
import type { Sealed } from "../../src/domain/sealed.ts";

const secret = (expiresAt: number | undefined) => ({ sealed: "" as Sealed, addedAt: 0, expiresAt });

it("warns at 30, 14, 7, 3 and 1 days and on the day itself, once each, by the secret that lives longest", () => {
  const secrets = [secret(days(40)), secret(days(2))];
  const told: number[] = [];
  for (let now = 0; now < days(60); now += hours(1)) {
    const left = secretExpiryToTell({ secrets }, now, hours(1));
    if (left !== undefined) told.push(left);
  }
  expect(told).toEqual([30, 14, 7, 3, 1, 0]);
});

it.each([[[]], [[secret(undefined)]], [[secret(days(1)), secret(undefined)]]])(
  "says nothing where there is no secret, or one without an end",
  (secrets) => {
    for (let now = 0; now < days(40); now += days(0.5)) {
      expect(secretExpiryToTell({ secrets }, now, days(0.5))).toBeUndefined();
    }
  },
);
