import { expect, it } from "vitest";
import { describeCatalogue } from "../kit/promise.ts";
import { threats } from "./catalogue.ts";

describeCatalogue(threats);

it("names each of the forty, and each proof by a title that says which threat it is of", () => {
  expect(threats.promises.map(({ id }) => id)).toEqual(
    Array.from({ length: 40 }, (_, i) => `T${String(i + 1).padStart(2, "0")}`),
  );
  const nameless = threats.promises.flatMap(({ id, proofs }) =>
    proofs.filter(({ title }) => !title.includes(id)).map(({ title }) => `${id}: ${title}`),
  );
  expect(nameless).toEqual([]);
});
