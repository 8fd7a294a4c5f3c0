import type { ProvenPromise } from "../kit/promise.ts";

const FORGED = "test/stories/forged-records.test.ts";
const WENT_BACK = "test/stories/store-went-back.test.ts";

/** What may be tried by who reads or writes Redis, a backup or a process's files: T20 to T28. */
export const storageThreats: readonly ProvenPromise[] = [
  {
    id: "T20",
    promise: "Who reads Redis, its files or a copy of them finds no token, code or secret in them.",
    proofs: [
      {
        file: "test/stories/canary.test.ts",
        title: "T20 T36 no token, code, verifier or secret lies in Redis, its files, the logs, the audit",
        without: {
          guard: "the seal of a refresh token",
          file: "src/broker/refresh/refresh-grant.ts",
          replace:
            "refreshToken: refreshToken && (await sealer.seal(refreshToken, refreshTokenContext(of))),",
          by: "refreshToken: refreshToken && (refreshToken.reveal() as never),",
        },
      },
    ],
  },
  {
    id: "T21",
    promise: "A sealed secret that is put into another record opens nowhere.",
    proofs: [
      {
        file: "test/security/sealer.test.ts",
        title: "T15 T21: a sealed secret in another place",
        without: {
          guard: "the record among what is authenticated beside the secret",
          file: "src/security/associated-data.ts",
          replace: "    context.record,\n",
          by: "",
        },
      },
      {
        file: "test/security/sealer.test.ts",
        title: "T15 T21: a sealed secret in another place",
        without: {
          guard: "a data key is bound to its owner and its name",
          file: "src/security/associated-data.ts",
          replace: "return lengthPrefixed([format, owner, dataKeyId, rootKeyId]);",
          by: "return lengthPrefixed([format, rootKeyId]);",
        },
      },
    ],
  },
  {
    id: "T22",
    promise: "An altered or shortened secret opens nowhere, and nobody learns why.",
    proofs: [
      {
        file: "test/security/envelope.test.ts",
        title: "T22: an altered envelope",
        without: {
          guard: "the authentication tag",
          file: "src/security/envelope.ts",
          replace: "    decipher.final();\n",
          by: "",
        },
      },
      {
        file: "test/security/envelope.test.ts",
        title: "T22: an altered envelope",
        without: {
          guard: "one spelling alone of the same bytes",
          file: "src/security/base64url.ts",
          replace: 'return bytes.toString("base64url") === text ? bytes : undefined;',
          by: "return bytes;",
        },
      },
    ],
  },
  {
    id: "T23",
    promise: "No key meets the same nonce twice, and a key that is worn out is followed by another.",
    proofs: [
      {
        file: "test/security/envelope.test.ts",
        title: "T23: nonces",
        full: { THREAT_SEALS: "1000000" },
        without: {
          guard: "the count of nonces",
          file: "src/security/nonce-sequence.ts",
          replace: "    this.#next += 1;\n",
          by: "    if (Math.random() < 0.99) this.#next += 1;\n",
        },
      },
      {
        file: "test/security/envelope.test.ts",
        title: "T23: nonces",
        without: {
          guard: "another salt, and with it another key, at the limit",
          file: "src/security/envelope.ts",
          replace: "if (nonces.spent) nonces = newNonces();",
          by: "",
        },
      },
    ],
    differs:
      "At the limit a new salt gives a new derived key under the same data key, in place of a new key id: 2^32 seals are weeks of one process.",
  },
  {
    id: "T24",
    promise: "A report, a crash, a debugger's signal and the environment tell nothing of the root keys.",
    proofs: [
      {
        file: "test/ops/crash-guards.test.ts",
        title: "says so in one line and ends with 1 (T24, T36)",
        without: {
          guard: "reports without the environment",
          file: "src/ops/crash-guards.ts",
          replace: "    report.excludeEnv = true;\n",
          by: "",
        },
      },
      {
        file: "test/ops/crash-guards.test.ts",
        title: "says so in one line and ends with 1 (T24, T36)",
        without: {
          guard: "what an error is told as: its class and place, never its message",
          file: "src/ops/crash-guards.ts",
          replace: "detail: place === undefined ? name : `${name} at ${place}`,",
          by: "detail: String(read(error, 'message')),",
        },
      },
      {
        file: "test/ops/key-leaks.test.ts",
        title: "T24 a running broker tells nothing of its root key",
        without: {
          guard: "the signal that would open a debugger opens none",
          file: "src/ops/crash-guards.ts",
          replace: '  target.on("SIGUSR1", ignore);\n',
          by: "",
        },
      },
      {
        file: "test/security/root-keyset.test.ts",
        title: "T24: printing",
        without: {
          guard: "what a keyset prints when it is inspected",
          file: "src/security/root-keyset.ts",
          replace:
            '  [Symbol.for("nodejs.util.inspect.custom")](): string {\n    return "[root keyset]";\n  }',
          by: "",
        },
      },
    ],
  },
  {
    id: "T25",
    promise: "Who writes to Redis makes no client, policy or server of his own.",
    proofs: [
      {
        file: FORGED,
        title: "T25: of each kind of record no field can be changed, added or taken away in Redis",
        without: {
          guard: "the MAC of a record",
          file: "src/security/record-mac.ts",
          replace:
            "return equalInConstantTime(mac(key, place, parts.text), parts.tag) ? parts.text : undefined;",
          by: "return parts.text;",
        },
      },
      {
        file: FORGED,
        title: "T25: a true record does not count in another place",
        without: {
          guard: "the place among what the MAC is made of",
          file: "src/security/record-mac.ts",
          replace: "for (const part of [FORM, place, text])",
          by: "for (const part of [FORM, text])",
        },
      },
      {
        file: FORGED,
        title: "T25: what the vend script decides by cannot be set to let somebody in",
        without: {
          guard: "what the script let through is compared with the record",
          file: "src/store/redis-access-store.ts",
          replace: "throw this.#sealed.refused(gateKey(id), mark);",
          by: "return;",
        },
      },
    ],
  },
  {
    id: "T26",
    promise:
      "With the ACL that we publish, what a taken-over process may ask of Redis empties and reconfigures nothing.",
    proofs: [
      {
        file: "test/store/redis-acl.test.ts",
        title: "T26 under the published ACL the whole product works",
        without: {
          guard: "what is dangerous is not allowed",
          file: "config/redis-acl.conf",
          replace: "+@all -@admin -@dangerous -function",
          by: "+@all -function",
        },
      },
      {
        file: "test/store/redis-acl.test.ts",
        title: "T26 under the published ACL the whole product works",
        without: {
          guard: "its own keys alone",
          file: "config/redis-acl.conf",
          replace: "resetchannels ~b1:* &b1:*",
          by: "resetchannels ~* &b1:*",
        },
      },
    ],
    differs:
      "One user for http replicas, workers and the CLI: they share every story. The product's main stories run under the ACL, not the whole suite, whose tests start, stop and look into their own Redis.",
  },
  {
    id: "T27",
    promise: "A backup that is put back is noticed, and what it took is told.",
    proofs: [
      {
        file: WENT_BACK,
        title: "T27 F33 an older Redis behind a process that lives",
        without: {
          guard: "where Redis is another it is looked at before a refresh begins",
          file: "src/main/keep-store.ts",
          replace: "  stores.onAnother(() => storeWatch.look());\n",
          by: "",
        },
      },
      {
        file: WENT_BACK,
        title: "T27 a process that starts on an older Redis",
        without: {
          guard: "how far the store was is kept outside it",
          file: "src/broker/restore/store-watch.ts",
          replace: "this.#marked = new Map(await this.#ports.witness?.read());",
          by: "this.#marked = new Map();",
        },
      },
      {
        file: WENT_BACK,
        title: "T27 a process that starts on an older Redis",
        without: {
          guard: "lower than it was is older",
          file: "src/broker/restore/store-watch.ts",
          replace: "(position.epoch === known.epoch && position.sequence < known.sequence)",
          by: "false",
        },
      },
      {
        file: "test/store/snapshot.test.ts",
        title: "T27 is refused where anything of it was altered",
        without: {
          guard: "the MAC of each part of a backup",
          file: "src/broker/backup/backup-file.ts",
          replace: "if (!run.matches(part, read.mac))",
          by: "if (!run.matches(part, read.mac) && part.length < 0)",
        },
      },
      {
        file: "test/stories/restore.test.ts",
        title: "F33 T27 an hour-old backup is put back",
        without: {
          guard: "what was ended since is ended again",
          file: "src/broker/restore/report.ts",
          replace: '  if (how === "ended") return "ended";\n',
          by: "",
        },
      },
    ],
    differs:
      "What was withdrawn otherwise since the backup (containments, policies, clients) is listed, and done again by the operator who releases. A store that went back under processes that live hands out what still lives until then: half an hour at most.",
  },
  {
    id: "T28",
    promise: "What a deleted organisation left in old copies opens with no key that there still is.",
    proofs: [
      {
        file: "test/stories/keys-cli.test.ts",
        title: "T28: of a shredded organisation no record of an older dump opens",
        without: {
          guard: "the tombstone under which no data key is made again",
          file: "src/store/lua/insert-data-keys.lua",
          replace: "if redis.call('EXISTS', KEYS[2]) == 1 then return 'shredded' end",
          by: "",
        },
      },
      {
        file: "test/stories/keys-cli.test.ts",
        title: "T28: of a shredded organisation no record of an older dump opens",
        without: {
          guard: "what was removed with the keys",
          file: "src/store/lua/remove-records.lua",
          replace: "if ARGV[2] == '1' then redis.call('UNLINK', key) end",
          by: "",
        },
      },
      {
        file: "test/stories/keys-cli.test.ts",
        title: "come home after their organisation was shredded store nothing (T28)",
        without: {
          guard: "the tombstone that a late refresh meets",
          file: "src/store/lua/refresh-commit.lua",
          replace:
            "if not g[1] and redis.call('EXISTS', prefix .. 'shredded') == 1 then return 'orphaned' end",
          by: "",
        },
      },
      {
        file: "test/stories/keys-cli.test.ts",
        title: "come home after their organisation was shredded store nothing (T28)",
        without: {
          guard: "the tombstone that a late sign-in meets",
          file: "src/store/lua/put-consent.lua",
          replace: "if redis.call('EXISTS', prefix .. 'shredded') == 1 then return 'stale' end",
          by: "",
        },
      },
    ],
  },
];
