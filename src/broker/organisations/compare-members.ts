import type { Members } from "../../domain/members.ts";
import { type Change, change } from "./plan.ts";

/** What changes of whom an integration is for, told without names. Undefined: nothing. */
export function changeOfMembers(before: Members, after: Members): Change | undefined {
  const [was, is] = [before, after].map(selectorsOf) as [Set<string>, Set<string>];
  const [more, less] = [is.difference(was).size, was.difference(is).size];
  if (before.everyone === after.everyone && more + less === 0) return undefined;
  const difference = before.everyone || after.everyone ? "" : ` (+${more} −${less})`;
  return change("members", membersText(before), `${membersText(after)}${difference}`);
}

const selectorsOf = (members: Members): Set<string> =>
  members.everyone
    ? new Set()
    : new Set([
        ...members.subjects.map((id) => `subject ${id}`),
        ...members.claims.map(({ name, value }) => `claim ${JSON.stringify([name, value])}`),
      ]);

/** Claims whole, persons by number: their names are nothing for a terminal. */
function membersText(members: Members): string {
  if (members.everyone) return "all";
  const claims = members.claims.map(({ name, value }) => `${name}=${value}`).sort();
  return [`${members.subjects.length} listed`, ...claims].join(", ");
}
