import type { Configuration } from "./world.ts";

/** The worlds that are explored. Every kind of server, and on some of them each thing that people and operators do. */
export const CONFIGURATIONS: readonly Configuration[] = [
  { name: "same", mode: "same", profile: "static", attempts: 3, faults: 1 },
  { name: "none", mode: "none", profile: "static", attempts: 2, faults: 2 },
  { name: "same, unknown", mode: "same", profile: "unknown", attempts: 2, faults: 2 },
  { name: "leeway", mode: "leeway", profile: "leeway", attempts: 3, faults: 1 },
  { name: "leeway, unknown", mode: "leeway", profile: "unknown", attempts: 2, faults: 2 },
  { name: "leeway that ends", mode: "leeway", profile: "leeway", attempts: 2, faults: 2, leewayEnds: true },
  { name: "rotate", mode: "rotate", profile: "rotating", attempts: 3, faults: 1 },
  { name: "rotate, four attempts", mode: "rotate", profile: "rotating", attempts: 4, faults: 0 },
  { name: "strict", mode: "strict", profile: "strict", attempts: 3, faults: 1 },
  { name: "strict, two faults", mode: "strict", profile: "strict", attempts: 2, faults: 2 },
  { name: "strict, salvaged", mode: "strict", profile: "strict", attempts: 2, faults: 1, salvages: true },
  { name: "strict, rejected", mode: "strict", profile: "strict", attempts: 2, faults: 1, rejections: 1 },
  { name: "strict, deleted", mode: "strict", profile: "strict", attempts: 2, faults: 1, deletes: true },
  { name: "leeway, deleted", mode: "leeway", profile: "leeway", attempts: 2, faults: 1, deletes: true },
  {
    name: "strict, consent ends",
    mode: "strict",
    profile: "strict",
    attempts: 2,
    faults: 1,
    consent: { earlier: "ends", signIns: 1 },
  },
  {
    name: "leeway, consent keeps",
    mode: "leeway",
    profile: "leeway",
    attempts: 2,
    faults: 1,
    consent: { earlier: "keeps", signIns: 1 },
  },
  {
    name: "rotate, sign-ins cross",
    mode: "rotate",
    profile: "rotating",
    attempts: 2,
    faults: 0,
    deletes: true,
    consent: { earlier: "ends", signIns: 2 },
  },
  { name: "leeway, keys", mode: "leeway", profile: "leeway", attempts: 2, faults: 0, rotatesKeys: true },
  {
    name: "strict, keys, deleted",
    mode: "strict",
    profile: "strict",
    attempts: 1,
    faults: 1,
    rotatesKeys: true,
    deletes: true,
  },
];

export function configurationNamed(name: string): Configuration {
  const found = CONFIGURATIONS.find((configuration) => configuration.name === name);
  if (found === undefined) throw new Error(`no configuration is called ${name}`);
  return found;
}
