import { describe, expect, it } from "vitest";
import { ALL_EVENT_KINDS, EVENT_FIELDS } from "../../src/domain/event-kinds.ts";
import { eventId } from "../../src/domain/id.ts";
import type { Policy } from "../../src/domain/policy.ts";
import type { StoredEvent } from "../../src/events/ports.ts";
import { tellEvent } from "../../src/events/tell-event.ts";
import { ruleOf } from "../kit/policies.ts";
import { identities } from "../sync/kit.ts";

/** Names of fields that hold what must not leave, however they are spelled. `code` is a problem's: its values are looked at below. */
const SECRET_NAME =
  /token|secret|password|passwd|credential|verifier|cookie|signature|private|api_?key|session|authorization_code|bearer/i;
/** Values that are, or may be, tokens and keys: ours, the simulator's, JWTs, PEM, anything long and random that is no id of ours. */
const SECRET_VALUE =
  /\b(imb_(at|sk)_|sim_(at|rt|code|secret)_|whsec_|eyJ[\w-]{8,}\.|Bearer |Basic )|-----BEGIN|\b[A-Za-z0-9+/_-]{40,}\b/;

const OUR_ID = /\b(org|srv|grt|syn|ctn|sub|evt)_[0-9a-hjkmnp-tv-z]{10,36}\b/g;

const SECRETS = [
  "imb_at_0123456789abcdef",
  "sim_rt_0123456789abcdefghijkl",
  "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
  "Zr0mQy3kq0m1cT2f3l5aXwZr0mQy3kq0m1cT2f3l5aXw",
];

const ids = identities();
const policy: Policy = {
  v: 1,
  client: ids.client,
  organisation: ids.organisation,
  rules: [ruleOf({ actions: ["events"] })],
  tokensPerMinute: 60,
};

/** An event as a careless script might write it: with everything that lies beside what it is about. */
function careless(kind: StoredEvent["kind"], secret: string): StoredEvent {
  const position = { number: 7, at: 1_800_000_000_000 };
  const beside = [
    "access_token",
    "refresh_token",
    "at",
    "rt",
    "secret",
    "owner",
    "name",
    "email",
    "sealed",
    "password",
  ];
  return {
    id: eventId(ids.organisation, position),
    organisation: ids.organisation,
    position,
    kind,
    fields: {
      ...Object.fromEntries(beside.map((name) => [name, secret])),
      server: ids.server,
      grant: "grt_x",
      library: "ACTIVE",
      sync: "syn_x",
      client: ids.client,
      to: "sub_x",
    },
    bindings: [{ type: "library", library: "ACTIVE", since: 0 }],
  };
}

describe("T18 what events tell", () => {
  it("has no field whose name is one of a secret's", () => {
    const names = ["id", "type", "timestamp", "data", ...Object.keys(EVENT_FIELDS)];
    expect(names.filter((name) => SECRET_NAME.test(name))).toEqual([]);
  });

  it.each(ALL_EVENT_KINDS)("of %s has no value like a token's, whatever the log has beside it", (kind) => {
    for (const secret of SECRETS) {
      expect(secret).toMatch(SECRET_VALUE);
      const viewer = { client: ids.client, policy, address: undefined };
      const told = tellEvent(careless(kind, secret), viewer, 1_800_000_000_000);
      expect(told, "it is told at all").toBeDefined();
      const { id: _, ...body } = told!;
      expect(JSON.stringify(body).replaceAll(OUR_ID, "")).not.toMatch(SECRET_VALUE);
      const names = Object.keys(body.data);
      expect(names.filter((name) => !Object.hasOwn(EVENT_FIELDS, name))).toEqual([]);
    }
  });
});
