import { expect, test } from "vitest";
import { systemTimers } from "../../src/ops/clock.ts";
import type { DocumentPage } from "../../src/sync/library-source.ts";
import { PagesAhead } from "../../src/sync/pages-ahead.ts";
import type { Called } from "../../src/sync/read-library.ts";

/** A scan of pages `1` to `last`; each comes when the test says so. */
function scan(last: number) {
  const asked: [number, string][] = [];
  const coming = new Map<string, (page: Called<DocumentPage>) => void>();
  const ahead = new PagesAhead(systemTimers(), (sequence, page) => {
    asked.push([sequence, page]);
    return new Promise((resolve) => coming.set(page, resolve));
  });
  const come = async (page: string) => {
    const next = Number(page) < last ? String(Number(page) + 1) : undefined;
    const value: DocumentPage = { documents: [], next, unreadable: 0, total: undefined };
    coming.get(page)!({ answer: { kind: "ok", value } } as unknown as Called<DocumentPage>);
    await new Promise(setImmediate);
  };
  return { ahead, asked, come };
}

test("while a page is told the one behind it is asked for, and once that has come the one behind that, and none further", async () => {
  const { ahead, asked, come } = scan(9);
  await ahead.ask(8, "2");
  expect(asked).toEqual([[8, "2"]]);
  await come("2");
  await come("3");
  expect(asked).toEqual([
    [8, "2"],
    [9, "3"],
  ]);
  expect((await ahead.take("2"))?.answer).toMatchObject({ value: { next: "3" } });
  await ahead.ask(9, "3");
  expect(asked.slice(2)).toEqual([[10, "4"]]);
});

test("a page that comes only when it is its turn is followed by whoever took it, and no page is asked for twice", async () => {
  const { ahead, asked, come } = scan(9);
  await ahead.ask(1, "2");
  const taken = ahead.take("2");
  await come("2");
  await taken;
  await ahead.ask(2, "3");
  expect(asked).toEqual([
    [1, "2"],
    [2, "3"],
  ]);
});

test("behind the last page nothing is asked for", async () => {
  const { ahead, asked, come } = scan(2);
  await ahead.ask(1, "2");
  await come("2");
  await ahead.take("2");
  await ahead.ask(2, undefined);
  expect(asked).toEqual([[1, "2"]]);
});

test("what is behind another cursor was not asked for, and what was asked for is forgotten", async () => {
  const { ahead, asked, come } = scan(9);
  await ahead.ask(1, "2");
  expect(ahead.take("7")).toBeUndefined();
  await come("2");
  expect(asked).toEqual([[1, "2"]]);
  expect(ahead.take("2")).toBeUndefined();
});

test("what fails fails when it is its turn, and nothing is asked for behind it", async () => {
  const asked: string[] = [];
  const ahead = new PagesAhead(systemTimers(), async (_sequence, page) => {
    asked.push(page);
    throw new Error("away");
  });
  await ahead.ask(1, "2");
  await expect(ahead.take("2")).rejects.toThrow("away");
  expect(asked).toEqual(["2"]);
});
