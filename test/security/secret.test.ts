import { Console } from "node:console";
import { Writable } from "node:stream";
import { format, inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { Secret } from "../../src/domain/secret.ts";

const CANARY = "canary-5f1c-refresh-token";
const secret = new Secret(CANARY);

function printed(print: (console: Console) => void): string {
  let text = "";
  const stream = new Writable({
    write(chunk, _, done) {
      text += chunk;
      done();
    },
  });
  print(new Console(stream, stream));
  return text;
}

describe("T36: a secret", () => {
  it.each<[string, () => string]>([
    ["in a template", () => `${secret}`],
    ["joined to a text", () => "a ".concat(secret as unknown as string)],
    ["by String()", () => String(secret)],
    ["in a list that is joined", () => [secret, secret].join()],
    ["in JSON", () => JSON.stringify({ secret, list: [secret] })],
    ["by inspect", () => inspect(secret)],
    ["by inspect with everything shown", () => inspect({ secret }, { showHidden: true, depth: null })],
    ["in util.format", () => format("%s %o %O %j", secret, secret, secret, secret)],
    ["as an Error's cause", () => inspect(new Error("x", { cause: secret }))],
    ["deep in an Error's cause", () => inspect(new Error("x", { cause: { body: { token: secret } } }))],
    ["in an Error's message", () => new Error(`failed with ${secret}`).stack!],
    ["by console.log", () => printed((console) => console.log(secret, { secret }, "%s", secret))],
    ["as the name of a field", () => Object.keys({ [secret as unknown as string]: 1 }).join()],
  ])("prints [secret] %s", (_, print) => {
    const text = print();
    expect(text).toContain("[secret]");
    expect(text).not.toContain("canary");
  });

  it.each<[string, () => string]>([
    [
      "by inspect without its own printing",
      () => inspect({ secret }, { customInspect: false, showHidden: true }),
    ],
    ["by console.dir", () => printed((console) => console.dir({ secret }, { showHidden: true }))],
    ["by console.table", () => printed((console) => console.table([{ secret }]))],
    ["when it is spread", () => JSON.stringify({ ...secret })],
    ["when it is cloned for a worker", () => JSON.stringify(structuredClone({ secret }))],
  ])("is not shown %s", (_, print) => {
    expect(print()).not.toContain("canary");
  });

  it("is given out by reveal() alone", () => {
    expect(secret.reveal()).toBe(CANARY);
    expect(Reflect.ownKeys(secret)).toEqual([]);
  });
});
