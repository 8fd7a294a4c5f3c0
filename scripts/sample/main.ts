// The sample as a program of its own. README.md says what it needs to know.
import { readFileSync } from "node:fs";
import { startTracker, type TrackerOptions } from "./tracker.ts";

function given(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "")
    throw new Error(`${name} is missing: see scripts/sample/README.md`);
  return value;
}

/** `u-moreau=Élise Moreau,u-voss=Clara Voss`: your ids of people, and their names. */
function people(text: string): TrackerOptions["viewers"] {
  const [first, ...others] = text.split(",").map((pair) => {
    const [id = "", name = id] = pair.split("=");
    return { id, name };
  });
  return [first!, ...others];
}

const address = given("ADDRESS");
const interval = process.env.INTERVAL;
await startTracker({
  brokerUrl: given("BROKER_URL"),
  clientId: given("CLIENT_ID"),
  clientSecret: readFileSync(given("CLIENT_SECRET_FILE"), "utf8").trim(),
  organisation: given("ORGANISATION"),
  server: given("SERVER"),
  library: given("LIBRARY"),
  viewers: people(given("VIEWERS")),
  address,
  ...(interval !== undefined && { interval: Number(interval) }),
});
console.log(`Matter checklist: ${address}/`);
