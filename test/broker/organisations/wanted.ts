import { readDesiredConfiguration } from "../../../src/broker/organisations/desired-configuration.ts";

const rules = { loopbackOrigins: [], loopbackReturnUrls: false };

/** A small file, as it looks once YAML is parsed. Tests change what they are about. */
export const smallFile = () => ({
  version: 1,
  shared_registrations: [
    { name: "us", address: "https://cloudimanage.com", client_id: "broker", client_secret_file: "us" },
  ] as Record<string, unknown>[],
  organisations: [
    {
      name: "meridian",
      display_name: "Meridian Legal",
      servers: [
        {
          name: "dms",
          kind: "on-premises",
          address: "https://dms.meridian.example",
          customer_id: 1,
          registration: { client_id: "broker", client_secret_file: "dms" },
        },
        { name: "cloud", kind: "cloud", customer_id: 5948, registration: { shared: "us" } },
      ] as Record<string, unknown>[],
    },
  ] as Record<string, unknown>[],
  clients: [
    {
      name: "tracker",
      return_urls: ["https://tracker.example/done"],
      policies: [{ organisation: "meridian", servers: ["dms"], actions: ["token", "connect"] }],
    },
  ] as Record<string, unknown>[],
});
export type SmallFile = ReturnType<typeof smallFile>;

export function desiredOf(file: unknown) {
  const reading = readDesiredConfiguration(file, rules);
  if (!reading.ok) throw new Error(JSON.stringify(reading.faults));
  return reading.desired;
}

export const faultsOf = (file: unknown): readonly string[] => {
  const reading = readDesiredConfiguration(file, rules);
  return reading.ok ? [] : reading.faults.map(({ path, message }) => `${path.join(".")} ${message}`);
};

export const warningsOf = (file: unknown): readonly string[] =>
  readDesiredConfiguration(file, rules).warnings.map(({ path, message }) => `${path.join(".")} ${message}`);

/** What a list of the file holds, to change it in place: `organisations.0.servers`. */
export const listOf = (file: SmallFile, path: string): Record<string, unknown>[] =>
  path.split(".").reduce((at: never, part) => at[part], file as never) as Record<string, unknown>[];

/** The file with one value changed; undefined takes the field away. */
export function changed(path: string, value: unknown): SmallFile {
  const file = smallFile();
  const parts = path.split(".");
  const last = parts.pop() as string;
  const holder = parts.reduce((at: never, part) => at[part], file as never) as Record<string, unknown>;
  if (value === undefined) delete holder[last];
  else holder[last] = value;
  return file;
}
