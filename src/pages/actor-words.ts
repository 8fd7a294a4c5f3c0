import { maskedUser } from "../domain/masked.ts";
import { en } from "./texts.en.ts";

const texts = en.audit;

/** What a page says in the place of ids. */
export interface Names {
  readonly of: ReadonlyMap<string, string>;
  readonly person: (name: string) => string;
}

/** @param known support knows people by less than their names, here as at containments */
export const actorNames = (
  named: readonly { readonly id: string; readonly displayName: string }[],
  known: boolean,
): Names => ({
  of: new Map(named.map(({ id, displayName }) => [id, displayName])),
  person: known ? (name) => name : maskedName,
});

/** `<customer>/<user>`, or an id alone. */
const maskedName = (name: string): string =>
  name.replace(/[^/]+$/, (userId) => maskedUser({ userId, email: undefined }));

/** Persons as the entry names them: nothing is looked up that it does not have. */
export function who(actor: string, names: Names): string {
  const at = actor.indexOf(":");
  const [kind, id] = at < 0 ? [actor, ""] : [actor.slice(0, at), actor.slice(at + 1)];
  switch (kind) {
    case "client":
      return texts.who.client(names.of.get(id) ?? id);
    case "user":
      return texts.who.user(names.person(id));
    case "person": {
      const slash = id.indexOf("/");
      const client = id.slice(0, slash);
      return texts.who.person(names.person(id.slice(slash + 1)), names.of.get(client) ?? client);
    }
    case "operator":
    case "support":
      return texts.who[kind](id.slice(id.indexOf(" ") + 1));
    case "cli":
      return texts.who.cli(id);
    case "worker":
      return texts.who.worker;
    default:
      return actor === "" ? texts.who.unknown : actor;
  }
}
