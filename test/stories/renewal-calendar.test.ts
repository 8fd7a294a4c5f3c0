import ICAL from "ical.js";
import { describe, expect, it } from "vitest";
import { type Visit, WalkingBrowser } from "../../scripts/walk/browser.ts";
import { lendLibrary } from "../../scripts/walk/lend-library.ts";
import { type OrganisationId, routeOf } from "../../src/domain/id.ts";
import { days, minutes } from "../../src/domain/instant.ts";
import { RedisCalendarStore } from "../../src/store/redis-calendar-store.ts";
import { needlesOf, scan, scanRedis, told } from "../kit/canary.ts";
import { storedNouns } from "../kit/connecting.ts";
import { submit } from "../kit/portal.ts";
import { put } from "../kit/put-records.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { AMELIA, type World, world } from "../kit/world.ts";

const ADMIN = { ...AMELIA, email: "amelia.hart@hartlowell.example" };

/** An admin who has lent a library, on her page. */
async function lent(built: World, library = "ACTIVE", browser = new WalkingBrowser()) {
  const path = `/servers/${built.server}/libraries`;
  const page = built.base + path;
  const ended = await lendLibrary(page, library, ADMIN, browser);
  await browser.follow(ended, [built.base]);
  const open = () => browser.get(page);
  /** Presses a button of *Reminders*, with the form as the page has it. */
  const press = async (action: string): Promise<Visit> => {
    const shown = await open();
    const instead = /name="instead" value="(\d*)"/.exec(shown.body)![1]!;
    return submit(browser, shown, path + action, { instead });
  };
  const create = async (): Promise<string> =>
    /value="(http[^"]+\.ics)" readonly/.exec((await press("/calendar")).body)![1]!;
  return { browser, path, page, open, press, create };
}

function entriesOf(text: string) {
  const calendar = new ICAL.Component(ICAL.parse(text));
  return calendar.getAllSubcomponents("vevent").map((component) => new ICAL.Event(component));
}

/** As a calendar does: no cookie, no address it came from. */
const fetchCalendar = async (url: string, headers: Record<string, string> = {}) => {
  const answer = await fetch(url, { headers });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
};

const auditOf = async ({ broker, organisation }: World) => {
  const entries = await broker.stores.fast.call((redis) =>
    redis.xrange(`b1:{o:${organisation.slice(4)}}:audit`, "-", "+"),
  );
  return entries
    .map(([, flat]) => Object.fromEntries(flat.flatMap((name, i) => (i % 2 ? [] : [[name, flat[i + 1]!]]))))
    .filter(({ action }) => action?.startsWith("calendar."));
};

describe("the calendar of renewals", () => {
  it("is subscribed to once and follows what is true: lent, lent more, withdrawn, gone", async () => {
    const built = await world();
    const { page, create, press, browser, open, path } = await lent(built);
    const url = await create();
    expect(url).toMatch(new RegExp(`^${built.base}/calendars/[\\w-]{53}\\.ics$`));
    const first = await fetchCalendar(url);
    expect(first.status).toBe(200);
    expect(first.headers.getSetCookie()).toEqual([]);
    expect(entriesOf(first.text).map(({ summary }) => summary)).toEqual([
      "Renew: iManage authorization for 1 library",
      "Last day to renew: iManage authorization for 1 library",
    ]);
    expect(first.text.replaceAll("\r\n ", "")).toContain(page);
    expect((await open()).body).toMatch(/Last fetched<\/dt><dd><time/);
    const etag = first.headers.get("etag")!;
    expect(await fetchCalendar(url, { "if-none-match": etag })).toMatchObject({ status: 304, text: "" });

    await lendLibrary(page, "TEMPLATES", ADMIN, browser);
    const second = await fetchCalendar(url, { "if-none-match": etag });
    const [before, after] = [entriesOf(first.text), entriesOf(second.text)];
    expect(after.map(({ uid }) => uid)).toEqual(before.map(({ uid }) => uid));
    expect(after[0]!.summary).toBe("Renew: iManage authorization for 2 libraries");
    expect(after[0]!.sequence).toBeGreaterThan(before[0]!.sequence);

    for (const library of ["TEMPLATES", "ACTIVE"]) {
      const form = await browser.get(`${page}/${library}/withdraw`);
      await submit(browser, form, `${path}/${library}/withdraw`);
    }
    // The grant is gone with its last library; the link stays.
    const empty = await fetchCalendar(url);
    expect([empty.status, entriesOf(empty.text)]).toEqual([200, []]);
    await lendLibrary(page, "ACTIVE", ADMIN, browser);
    expect(entriesOf((await fetchCalendar(url)).text)).toHaveLength(2);

    const revoked = await press("/calendar/revoke");
    expect(revoked.location).toBe(`${page}#reminders`);
    expect((await fetchCalendar(url)).status).toBe(404);
    expect((await open()).body).toContain("Create a calendar link");
  });

  it("a link that is replaced is dead, of twenty that ask at once one gets in, and each is audited", async () => {
    const built = await world();
    const { create, open, press, browser, path } = await lent(built);
    const first = await create();
    const second = await create();
    expect((await fetchCalendar(first)).status).toBe(404);
    expect((await fetchCalendar(second)).status).toBe(200);

    const shown = await open();
    const instead = /name="instead" value="(\d*)"/.exec(shown.body)![1]!;
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => submit(browser, shown, `${path}/calendar`, { instead })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(19).fill(409)]);
    expect((await fetchCalendar(second)).status).toBe(404);
    await press("/calendar/revoke");
    await press("/calendar").then(({ status }) => expect(status).toBe(200));

    const entries = await auditOf(built);
    expect(entries.map(({ action }) => action)).toEqual(
      ["created", "revoked", "created", "revoked", "created", "revoked", "created"].map(
        (what) => `calendar.${what}`,
      ),
    );
    for (const entry of entries)
      expect(entry).toMatchObject({ actor: expect.stringMatching(/^user:/), server: built.server });
  });

  it("what was revoked, what never was and what is switched off are the same 404", async () => {
    const built = await world();
    const { create, press } = await lent(built);
    const url = await create();
    const answer = async (at: string) => {
      const { status, headers, text } = await fetchCalendar(at);
      const kept = [...headers].filter(([name]) => !["date", "request-id", "x-request-id"].includes(name));
      return { status, kept, text };
    };
    const handles = built.broker.authorization.handles;
    const route = built.organisation.slice(4);
    const never = await answer(`${built.base}/calendars/${handles.make(route as never).reveal()}.ics`);
    expect(never.status).toBe(404);
    expect(
      await answer(`${built.base}/calendars/${handles.make("0000000000" as never).reveal()}.ics`),
    ).toEqual(never);
    expect(await answer(`${built.base}/calendars/nonsense`)).toEqual(never);

    const { configuration } = built.broker;
    const firm = (await configuration.findOrganisation(built.organisation as OrganisationId))!;
    await put.organisation(configuration, { ...firm, enabled: false });
    expect(await answer(url)).toEqual(never);
    await put.organisation(configuration, firm);
    expect((await answer(url)).status).toBe(200);
    await press("/calendar/revoke");
    expect(await answer(url)).toEqual(never);
  });

  it("a link that is revoked while it is read does not come back as half a record", async () => {
    const built = await world();
    const store = new RedisCalendarStore(built.broker.stores.fast);
    const { organisation, server } = built;
    const route = routeOf(organisation as OrganisationId);
    const owner = { server, customerId: "1", userId: "Amelia" };
    const note = { actor: "user:1/Amelia", requestId: "r" };
    await store.putCalendar(owner, "d1", undefined, note);
    expect((await store.fetchCalendar(route, "d1")).kind).toBe("found");
    expect(await store.dropCalendar({ ...owner, userId: "AMELIA" }, note)).toBe("revoked");
    expect(await store.noteContent(route, "d1", "c")).toBeUndefined();
    expect(await store.fetchCalendar(route, "d1")).toEqual({ kind: "unknown" });
    expect(await store.dropCalendar(owner, note)).toBe("none");
    expect(await storedNouns(built, organisation)).not.toHaveProperty("calendar");
  });

  it("is asked too often: 429 with the time to wait, for that link alone", async () => {
    const built = await world();
    const { create } = await lent(built);
    const url = await create();
    const answers = await Promise.all(Array.from({ length: 40 }, () => fetchCalendar(url)));
    const refused = answers.filter(({ status }) => status === 429);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(30);
    expect(refused).toHaveLength(10);
    expect(Number(refused[0]!.headers.get("retry-after"))).toBeGreaterThan(0);
    built.advance(minutes(1));
    expect((await fetchCalendar(url)).status).toBe(200);
  });

  it("T36 the handle is in no key, no value, no log line and no audit entry, and the feed holds no secret", async () => {
    const redis = await ownRedisForThisTest();
    const built = await world({ redisUrl: redis.url });
    const { create, press, open } = await lent(built);
    const url = await create();
    const handle = url.split("/").at(-1)!.replace(".ics", "");
    const { text } = await fetchCalendar(url);
    await fetchCalendar(`${url}?x=${handle}`);
    await fetchCalendar(`${url}/${handle}`);
    await fetchCalendar(`${built.base}/calendars/${handle}`);
    await fetchCalendar(`${built.base}/CALENDARS/${handle}.ics`);
    for (let i = 0; i < 40; i++) await fetchCalendar(url);
    await open();
    await press("/calendar/revoke");
    await fetchCalendar(url);

    // The route in front of it is every id's and no secret.
    const needles = needlesOf({ handle: handle.slice(10) });
    expect(scan(url, needles, "the link itself")).not.toEqual([]);
    expect(told((await scanRedis([redis.url], needles)).hits)).toEqual([]);
    expect(told(scan(built.lines.join("\n"), needles, "the log"))).toEqual([]);
    // Not even for the last line of redaction to find.
    expect(built.lines.join("\n")).not.toContain("[redacted]");
    expect(built.lines.filter((line) => line.includes('/calendars/:file"')).length).toBeGreaterThan(40);
    expect(told(scan(text, needles, "the feed"))).toEqual([]);
    expect(text).not.toMatch(/sim_|imb_|csrf/);
  });
});

it("a grant that is lent to a library is told of on its timeline at 30, 14, 7, 3 and 1 days", async () => {
  const redis = await ownRedisForThisTest();
  const built = await world({ redisUrl: redis.url });
  await lent(built);
  const { grantStore, libraryStore, workerStories } = built.broker;
  const { grant } = (await libraryStore.listLibraries(built.server))[0]!;
  for (let day = 0; day < 365; day += 1) {
    built.advance(days(1));
    await workerStories.reapUnbound();
  }
  const entries = (await grantStore.timeline(grant)).filter(({ kind }) => kind === "grant.expiring");
  expect(entries.map(({ detail }) => detail)).toEqual(
    ["30", "14", "7", "3", "1"].map((left) => `${left} days left`),
  );
});
