import type { Redis } from "ioredis";
import type { ClientId, ServerId } from "../../src/domain/id.ts";
import { bindingDigest } from "../../src/store/keys.ts";

/** Every key of a person's grant, each field and entry by the form of its value, and the schedules that it stands in. */
export async function grantShape(
  redis: Redis,
  prefix: string,
  { server, client, person }: { readonly server: string; readonly client: string; readonly person: string },
): Promise<Readonly<Record<string, unknown>>> {
  const subject = { type: "user", issuer: "client", id: person } as const;
  const digest = bindingDigest(server as ServerId, client as ClientId, subject);
  const id = await redis.get(`${prefix}binding:${digest}`);
  // Noted with the first token, by sign-in or not.
  const { used_at: _, ...grant } = await redis.hgetall(`${prefix}grant:${id}`);
  const shape: Record<string, unknown> = { binding: form(id ?? "none"), grant: formOf(grant) };
  shape.consent = (await redis.get(`${prefix}consent:${grant.consent}`)) === id;
  shape["grant-bindings"] = formOf(await redis.hgetall(`${prefix}grant-bindings:${id}`));
  const story = (await redis.get(`${prefix}story:${id}`)) ?? "";
  shape.story = story.split("\n").map((line) => (line === "" ? "" : form(line)));
  for (const set of ["grants", "due:refresh", "due:expiry", "grant-ends", "unbound"])
    shape[set] = (await redis.zscore(`${prefix}${set}`, id ?? "")) !== null;
  return shape;
}

const formOf = (fields: Readonly<Record<string, string>>): unknown =>
  Object.fromEntries(
    Object.entries(fields)
      .map(([name, value]) => [form(name), form(value)])
      .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
  );

/** Numbers are numbers; what is drawn by lot is as long as it is. */
function form(text: string): unknown {
  if (/^\d+$/.test(text)) return "number";
  if (/^[[{]/.test(text))
    return JSON.parse(text, (_key, value) => (typeof value === "string" ? form(value) : value));
  return text
    .replace(/(?<=[ .])\d{7}(?=$|@)/g, "number")
    .replace(/[\w-]{8,}/g, (word) => (/\d|[A-Z]/.test(word) ? `<${word.length}>` : word));
}
