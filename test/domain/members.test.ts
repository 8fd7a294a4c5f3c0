import { expect, it } from "vitest";
import { everyone, isMember, type Members } from "../../src/domain/members.ts";

const some: Members = {
  everyone: false,
  subjects: ["u-1"],
  claims: [{ name: "groups", value: "imanage-users" }],
};
const person = (id: string, ...groups: string[]) => ({
  id,
  claims: groups.map((value) => ({ name: "groups", value })),
});

it.each([
  ["everyone", everyone, person("u-9"), true],
  ["who is listed", some, person("u-1"), true],
  ["who is claimed", some, person("u-9", "staff", "imanage-users"), true],
  ["who is neither", some, person("u-9", "staff"), false],
  [
    "the same value under another name",
    some,
    { id: "u-9", claims: [{ name: "roles", value: "imanage-users" }] },
    false,
  ],
  ["nobody is named", { everyone: false, subjects: [], claims: [] }, person("u-1", "imanage-users"), false],
] as const)("%s", (_case, members, who, is) => {
  expect(isMember(members, who)).toBe(is);
});
