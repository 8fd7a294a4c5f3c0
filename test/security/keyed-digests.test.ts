import { createSecretKey, randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { keyedDigests } from "../../src/security/keyed-digests.ts";

const key = createSecretKey(Buffer.alloc(32, 7));
const other = createSecretKey(Buffer.alloc(32, 8));

it("digests are the same for the same text and key, wherever the text stands, and for nothing else", () => {
  const texts = ["a", "b", "", "a", "é", "e\u0301"];
  const digests = keyedDigests(key, texts);
  expect(digests[0]).toBe(digests[3]);
  expect(new Set(digests).size).toBe(5);
  expect(keyedDigests(key, ["b"])).toEqual([digests[1]]);
  expect(keyedDigests(other, texts).filter((digest) => digests.includes(digest))).toEqual([]);
  for (const digest of digests) expect(digest).toMatch(/^[A-Za-z0-9_-]{22}$/);
});

it("digests stay what they are: what is remembered of a million documents is compared with them", () => {
  expect(keyedDigests(key, ["ACTIVE!1001.1"])).toMatchInlineSnapshot(`
    [
      "e0VkMnZIk_hY5hpvuGHCAw",
    ]
  `);
});

it("no digest of many is another's", () => {
  const texts = Array.from({ length: 20_000 }, () => randomBytes(24).toString("hex"));
  expect(new Set(keyedDigests(key, texts)).size).toBe(texts.length);
  expect(keyedDigests(key, [])).toEqual([]);
});
