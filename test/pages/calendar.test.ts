import type { Express } from "express";
import ICAL from "ical.js";
import request from "supertest";
import { beforeEach, describe, expect, test } from "vitest";
import { days, minutes } from "../../src/domain/instant.ts";
import { hostileTexts } from "./hostile-text.ts";
import { BASE_URL, World } from "./kit.ts";

let world: World;
let app: Express;
let page: string;
beforeEach(async () => {
  world = await World.open();
  world.administers("ACTIVE");
  app = world.app();
  page = `/servers/${world.server.id}/libraries`;
});

const get = (path: string, cookie = "") => request(app).get(path).set("Cookie", cookie);
const post = (path: string, cookie: string, form: object) =>
  request(app).post(path).type("form").set("Cookie", cookie).set("Sec-Fetch-Site", "same-origin").send(form);

/** A link, as the page shows it once. */
async function subscribe(instead = ""): Promise<string> {
  const { cookie, csrf } = world.signIn();
  const shown = await post(`${page}/calendar`, cookie, { csrf, instead });
  expect(shown.status).toBe(200);
  const link = /value="(https:[^"]+)"/.exec(shown.text)![1]!;
  return link.slice(BASE_URL.length);
}

interface Entry {
  readonly uid: string;
  readonly summary: string;
  readonly description: string;
  readonly start: string;
  readonly end: string;
  readonly sequence: number;
  readonly modified: string;
  readonly alarms: readonly string[];
}

/** What a parser that nobody here wrote makes of a file. */
function read(text: string) {
  expect(text.startsWith("BEGIN:VCALENDAR\r\n")).toBe(true);
  expect(text.endsWith("END:VCALENDAR\r\n")).toBe(true);
  expect(text.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
  for (const line of text.split("\r\n")) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(75);
  // Strict: without it the parser passes over what it cannot read.
  const calendar = new ICAL.Component(ICAL.parse(text));
  expect(calendar.name).toBe("vcalendar");
  expect(calendar.getAllSubcomponents().map(({ name }) => name)).toEqual(
    calendar.getAllSubcomponents("vevent").map(() => "vevent"),
  );
  const entries = calendar.getAllSubcomponents("vevent").map((component): Entry => {
    const event = new ICAL.Event(component, { strictExceptions: true });
    expect([event.startDate.isDate, event.endDate.isDate]).toEqual([true, true]);
    return {
      uid: event.uid,
      summary: event.summary,
      description: event.description,
      start: event.startDate.toString(),
      end: event.endDate.toString(),
      sequence: event.sequence,
      modified: String(component.getFirstPropertyValue("last-modified")),
      alarms: component
        .getAllSubcomponents("valarm")
        .map((alarm) => String(alarm.getFirstPropertyValue("trigger"))),
    };
  });
  const of = (name: string) => calendar.getFirstPropertyValue(name)?.toString();
  return { calendar, entries, of };
}

const fetched = async (path: string) => read((await get(path).expect(200)).text);

describe("the file", () => {
  test("an admin who lends nothing has an empty, valid calendar that says what it is and when to look again", async () => {
    const { entries, of } = await fetched(await subscribe());
    expect(entries).toEqual([]);
    expect(of("version")).toBe("2.0");
    expect(of("method")).toBe("PUBLISH");
    expect(of("name")).toBe("iManage authorizations: Firm & Partners iManage");
    expect(of("x-wr-calname")).toBe(of("name"));
    expect([of("refresh-interval"), of("x-published-ttl")]).toEqual(["PT6H", "PT6H"]);
  });

  test("a renewal stands there a week ahead and on its last day, with alarms at 30, 7 and 1 days at nine in the morning", async () => {
    for (const library of ["ACTIVE", "LITIGATION"]) world.lend(library);
    const { id } = world.grantOf(world.admin, { refreshTokenExpiresAt: Date.UTC(2027, 0, 23, 14, 5) });
    const { entries } = await fetched(await subscribe());
    expect(entries).toMatchObject([
      {
        uid: `renew-${id}@broker.example`,
        summary: "Renew: iManage authorization for 2 libraries",
        start: "2027-01-15",
        end: "2027-01-16",
        alarms: [],
      },
      {
        uid: `last-day-${id}@broker.example`,
        summary: "Last day to renew: iManage authorization for 2 libraries",
        start: "2027-01-22",
        end: "2027-01-23",
        alarms: ["-P29DT15H", "-P6DT15H", "-PT15H"],
      },
    ]);
    for (const { description } of entries) {
      expect(description).toContain("It ends on 23 January 2027, 14:05 UTC.");
      expect(description).toContain("Who must act: Dana Taylor, or another library admin in his place.");
      expect(description).toContain(`open ${BASE_URL}${page}, sign in with iManage and choose Renew`);
      expect(description).toMatch(/Firm & Partners iManage, 2 libraries:\nACTIVE\nLITIGATION$/);
    }
  });

  test("what has ended stands there each day until it is authorized again", async () => {
    const at = world.now - days(2);
    world.lend("ACTIVE", world.admin, {
      state: "reauthorization_required",
      lastProblem: { code: "x", at },
    });
    const path = await subscribe();
    const { entries } = await fetched(path);
    expect(entries).toMatchObject([
      {
        summary: "Authorize again: iManage authorization for 1 library has ended",
        start: "2026-03-02",
        end: "2026-03-06",
        alarms: [],
      },
    ]);
    expect(entries[0]!.description).toContain("choose Authorize again");
    world.grantOf(world.admin, { state: "active" });
    expect((await fetched(path)).entries.map(({ summary }) => summary)).not.toContain(entries[0]!.summary);
  });

  test("it holds what this admin has lent, and nothing of another's", async () => {
    const other = { customerId: "5948", userId: "SLATE", name: "Sam Late", email: undefined };
    world.lend("ACTIVE", { ...world.admin, userId: "dtaylor" });
    world.lend("SECRET-PROJECT", other);
    const { text } = await get(await subscribe());
    expect(read(text).entries).toHaveLength(2);
    expect(text).not.toMatch(/SECRET-PROJECT|Sam Late/);
  });

  test("the same content is the same bytes; a change raises SEQUENCE and LAST-MODIFIED and keeps the UIDs, a replaced link too", async () => {
    world.lend("ACTIVE");
    const path = await subscribe();
    const first = await get(path);
    world.now += days(3);
    expect((await get(path)).text).toBe(first.text);

    world.lend("LITIGATION");
    const second = (await fetched(path)).entries;
    const before = read(first.text).entries;
    expect(second.map(({ uid }) => uid)).toEqual(before.map(({ uid }) => uid));
    expect(second.map(({ sequence }) => sequence)).toEqual([1, 1]);
    expect(before.map(({ sequence }) => sequence)).toEqual([0, 0]);
    expect(second[0]!.modified > before[0]!.modified).toBe(true);

    const { createdAt } = [...world.calendars.kept.values()][0]!.link;
    world.now += days(1);
    const third = (await fetched(await subscribe(String(createdAt)))).entries;
    expect(third.map(({ uid }) => uid)).toEqual(before.map(({ uid }) => uid));
    expect(third.map(({ sequence }) => sequence)).toEqual([2, 2]);
    await get(path).expect(404);
  });

  test("T09 hostile names of libraries, of a server and of a person add no line, no entry and no property", async () => {
    const hostile = [
      "A, B; C\\D: E",
      "x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\nBEGIN:VCALENDAR",
      "x\nBEGIN:VALARM\nACTION:PROCEDURE",
      "END:VCALENDAR",
      "\u202eLITIGATION\u2066",
      "ליטיגציה",
      "\u0000\u0007\u001b[2J\u2028\u2029\u0085",
      "\ud800 lone, and lone again \udc00",
      `${"é".repeat(36)}🗂️${"é".repeat(4_000)}`,
      "=HYPERLINK(1)",
    ];
    world.lend("ACTIVE");
    const path = await subscribe();
    const shape = (text: string) =>
      text
        .replaceAll("\r\n ", "")
        .split("\r\n")
        .map((line) => /^[A-Z-]+/.exec(line)?.[0]);
    const harmless = (await get(path)).text;
    for (const name of [...hostile, ...hostileTexts().filter((_, i) => i % 10 === 0)]) {
      world.lent.clear();
      world.admin = { ...world.admin, name };
      world.server = { ...world.server, displayName: name };
      world.lend(name);
      const { text } = await get(path).expect(200);
      expect(shape(text), JSON.stringify(name)).toEqual(shape(harmless));
      const { entries } = read(text);
      expect(entries).toHaveLength(2);
      expect(entries[0]!.description.split("\n")).toHaveLength(6);
      expect(entries[0]!.description).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202a-\u202e\u2066\u2067]/);
    }
    world.server = { ...world.server, displayName: "A, B; C\\D" };
    // TEXT (RFC 7986 §5.1); the parser does not know this property, so it is read as it stands.
    expect((await get(path)).text).toContain("\r\nNAME:iManage authorizations: A\\, B\\; C\\\\D\r\n");
  });

  test("two hundred libraries with long names are one renewal of bounded size", async () => {
    for (let i = 0; i < 200; i++) world.lend(`${String(i).padStart(3, "0")}-${"𝔏".repeat(300)}`);
    const { text } = await get(await subscribe());
    const { entries } = read(text);
    expect(entries).toHaveLength(2);
    expect(entries[0]!.description).toMatch(/\nand 150 more$/);
    expect(Buffer.byteLength(text)).toBeLessThan(64 * 1024);
  });
});

describe("the link", () => {
  test("is answered for a calendar that polls: an ETag, nothing shared, no cookie, no referrer", async () => {
    world.lend("ACTIVE");
    const path = await subscribe();
    const { headers } = await get(path);
    expect(headers).toMatchObject({
      "content-type": "text/calendar; charset=utf-8; method=PUBLISH",
      "cache-control": "private, no-cache",
      "referrer-policy": "no-referrer",
      "x-robots-tag": "noindex, nofollow",
      "x-content-type-options": "nosniff",
    });
    expect(headers["set-cookie"]).toBeUndefined();
    const again = await get(path).set("If-None-Match", headers.etag!);
    expect([again.status, again.text, again.headers.etag]).toEqual([304, "", headers.etag]);
    world.lend("LITIGATION");
    expect((await get(path).set("If-None-Match", headers.etag!)).status).toBe(200);
    expect((await request(app).head(path)).text).toBeUndefined();
  });

  test("malformed, invented, revoked, of a switched-off organisation or of a server that is gone: the same 404", async () => {
    const path = await subscribe();
    const ask = async (at: string) => {
      const { status, text, headers } = await get(at).set("Accept", "text/calendar, */*");
      const { date: _, ...rest } = headers;
      return { status, text, rest };
    };
    const unknown = await ask(`/calendars/${world.handles.make(world.route).reveal()}.ics`);
    expect(unknown.status).toBe(404);
    expect(unknown.rest["cache-control"]).toBe("no-store");
    const handle = path.slice("/calendars/".length, -".ics".length);
    for (const bad of [
      ...["/calendars", "/calendars/.ics", "/calendars/x.ics", `/calendars/${handle}`],
      ...[`/calendars/${handle}.ICS`, `/calendars/${handle}x.ics`, `/calendars/${handle.slice(0, -1)}.ics`],
      ...[`${path}/`.replace(".ics/", ".ics/x"), `/calendars/${handle.toUpperCase()}.ics`],
      `/calendars/${"a".repeat(5_000)}.ics`,
    ])
      expect(await ask(bad), bad).toEqual(unknown);

    await get(path).expect(200);
    world.firm = { ...world.firm, enabled: false };
    expect(await ask(path)).toEqual(unknown);
    world.firm = { ...world.firm, enabled: true };
    const { server } = world;
    world.server = {
      ...server,
      id: `${server.id.slice(0, -1)}${server.id.endsWith("0") ? "1" : "0"}` as never,
    };
    expect(await ask(path)).toEqual(unknown);
    world.server = server;
    await get(path).expect(200);
    const { cookie, csrf } = world.signIn();
    await post(`${page}/calendar/revoke`, cookie, { csrf }).expect(303);
    expect(await ask(path)).toEqual(unknown);
  });
});

describe("Reminders, on Background service authorization", () => {
  test("the link is shown once, for copying and as webcal; afterwards only since when and when it was last fetched", async () => {
    const { cookie, csrf } = world.signIn();
    const before = await get(page, cookie);
    expect(before.text).toContain("Create a calendar link");
    expect(before.text).not.toContain("Revoke the link");

    const shown = await post(`${page}/calendar`, cookie, { csrf, instead: "" });
    const handle = /value="https:\/\/broker\.example\/calendars\/([\w-]{53})\.ics" readonly/.exec(
      shown.text,
    )![1]!;
    expect(shown.text).toContain(`href="webcal://broker.example/calendars/${handle}.ics"`);
    expect(shown.headers["cache-control"]).toBe("no-store");
    expect([...world.calendars.kept.keys()].join()).not.toContain(handle.slice(10));

    const after = await get(page, cookie);
    expect(after.text).toContain("not yet");
    expect(after.text).not.toContain(handle.slice(10));
    expect((await get(`${page}/calendar`, cookie)).headers.location).toBe(page);
    await get(`/calendars/${handle}.ics`).expect(200);
    world.now += minutes(20);
    expect((await get(page, cookie)).text).toContain("4 March 2026, 14:05 UTC</time>");
  });

  test("behind another port the webcal link names it", async () => {
    app = world.app({ publicBaseUrl: "http://127.0.0.1:8080" });
    const { cookie, csrf } = world.signIn();
    const { text } = await post(`${page}/calendar`, cookie, { csrf, instead: "" });
    expect(text).toContain('href="webcal://127.0.0.1:8080/calendars/');
  });

  test("a form that is sent twice, or from a page that is out of date, does not end the link of the first", async () => {
    const { cookie, csrf } = world.signIn();
    const path = await subscribe();
    for (const instead of ["", "1", "x", String(world.now + 1)]) {
      const { status, text } = await post(`${page}/calendar`, cookie, { csrf, instead });
      expect([status, text]).toEqual([409, expect.stringContaining("out of date")]);
    }
    await get(path).expect(200);
    expect(world.calendars.kept.size).toBe(1);
  });

  test.each(["calendar", "calendar/revoke"])(
    "T03 %s does nothing for another site's form, and asks whoever is not signed in to sign in",
    async (way) => {
      const path = await subscribe();
      const { cookie, csrf } = world.signIn();
      const instead = String(world.now);
      await post(`${page}/${way}`, cookie, { csrf: "x", instead }).expect(403);
      await post(`${page}/${way}`, cookie, { csrf, instead }).set("Sec-Fetch-Site", "cross-site").expect(403);
      const { headers } = await post(`${page}/${way}`, "", { csrf, instead });
      expect(headers.location).toBe(`${page}?notice=session-over`);
      await get(path).expect(200);
    },
  );

  test("each admin has a link of his own, and ends his own alone", async () => {
    const path = await subscribe();
    const other = { customerId: "5948", userId: "SLATE", name: "Sam Late", email: undefined };
    const { cookie, csrf } = world.signIn(other);
    expect((await get(page, cookie)).text).toContain("Create a calendar link");
    await post(`${page}/calendar/revoke`, cookie, { csrf }).expect(303);
    await get(path).expect(200);
  });
});
