import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { parse } from "yaml";
import { withRules } from "../kit/policies.ts";
import { put } from "../kit/put-records.ts";
import { unzip } from "../kit/unzip.ts";
import { type World, world } from "../kit/world.ts";

function ask(here: World, path: string, headers: Record<string, string> = {}) {
  const { id, secret } = here.credentials;
  const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`;
  return fetch(`${here.base}${path}`, { headers: { authorization, ...headers } });
}

it("the sheet comes as JSON, and as Markdown for whoever would rather have that", async () => {
  const here = await world();
  const path = `/v1/servers/${here.server}/registration`;
  const sheet = (await (await ask(here, path)).json()) as Record<string, never>;
  expect(sheet).toMatchObject({
    tabs: [{ tab: "Configuration" }, { tab: "Authentication" }, { tab: "Access" }, { tab: "Review" }],
    extensions: [
      { field: "Background service authorization", value: `${here.base}/servers/${here.server}/libraries` },
      { value: `${here.base}/v1/servers/${here.server}/package?kind=control-center` },
      { value: `${here.base}/v1/servers/${here.server}/package?kind=work` },
    ],
  });
  for (const [accept, type] of [
    ["text/markdown", "text/markdown; charset=utf-8"],
    ["text/markdown;q=0.9, application/json;q=0.1", "text/markdown; charset=utf-8"],
    ["application/json, text/markdown;q=0.5", "application/json; charset=utf-8"],
    ["*/*", "application/json; charset=utf-8"],
    ["image/png", "application/json; charset=utf-8"],
  ] as const) {
    const answer = await ask(here, path, { accept });
    expect([accept, answer.status, answer.headers.get("content-type")]).toEqual([accept, 200, type]);
    expect(answer.headers.get("vary")).toContain("Accept");
    expect(answer.headers.get("cache-control")).toBe("no-store");
  }
  const markdown = await (await ask(here, path, { accept: "text/markdown" })).text();
  expect(markdown).toMatch(/^# Registration of /);
  expect(markdown).toContain("| Allow Refresh Token | `Yes` |");
});

it("the links of the sheet work: the page is there, the packages come as files and list it", async () => {
  const here = await world();
  const sheet = (await (await ask(here, `/v1/servers/${here.server}/registration`)).json()) as {
    readonly extensions: readonly { readonly value: string }[];
  };
  const [page, ...packages] = sheet.extensions.map(({ value }) => value);
  expect((await fetch(page!)).status).toBe(200);
  const manifests = [];
  for (const address of packages) {
    const answer = await ask(here, address.slice(here.base.length));
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/zip");
    const kind = new URL(address).searchParams.get("kind");
    expect(answer.headers.get("content-disposition")).toMatch(
      new RegExp(`^attachment; filename="firm-[0-9a-f]+-dms\\.${kind}\\.zip"$`),
    );
    const bytes = new Uint8Array(await answer.arrayBuffer());
    expect(new Uint8Array(await (await ask(here, address.slice(here.base.length))).arrayBuffer())).toEqual(
      bytes,
    );
    const [manifest, ...others] = unzip(bytes);
    expect([manifest?.name, others]).toEqual(["manifest.yaml", []]);
    manifests.push(parse(manifest?.content.toString("utf8") ?? ""));
  }
  expect(manifests).toMatchObject([
    { type: "control-center-extension", extensions: [{ url: page }] },
    { type: "work-extension", application: { client_id: "token-broker" } },
  ]);
  expect(manifests[1]).not.toHaveProperty("extensions");
  expect(JSON.stringify(manifests)).not.toContain("sim_secret");
});

it("unknown and foreign are the same 404, and what is not allowed says so", async () => {
  const [here, there] = [await world(), await world()];
  const flipped = here.server.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
  for (const what of ["registration", "package?kind=work"]) {
    const refusals = await Promise.all(
      [flipped, there.server, "srv_x"].map(async (server) => {
        const answer = await ask(here, `/v1/servers/${server}/${what}`);
        const { request_id, ...body } = (await answer.json()) as { request_id: string };
        expect(request_id).toMatch(/^req_/);
        return { status: answer.status, body };
      }),
    );
    expect(refusals[0]).toMatchObject({ status: 404, body: { code: "not_found" } });
    expect(refusals[1]).toEqual(refusals[0]);
    expect(refusals[2]).toEqual(refusals[0]);
    expect((await fetch(`${here.base}/v1/servers/${here.server}/${what}`)).status).toBe(401);
  }
  expect((await ask(here, `/v1/servers/${here.server}/package`)).status).toBe(400);
  expect((await ask(here, `/v1/servers/${here.server}/package?kind=../..`)).status).toBe(400);

  const client = here.credentials.id as never;
  const organisation = here.organisation as never;
  const { policy } = await here.broker.configuration.findPolicy(client, organisation);
  const actions = ["token", "status", "connect", "sync"] as const;
  await put.policy(here.broker.configuration, withRules(policy, { actions }));
  for (const what of ["registration", "package?kind=work"]) {
    const answer = await ask(here, `/v1/servers/${here.server}/${what}`);
    expect([answer.status, (await answer.json()) as object]).toMatchObject([403, { code: "not_allowed" }]);
  }
});

it("a faulty template is the operator's to mend, and says where", async () => {
  const folder = mkdtempSync(join(tmpdir(), "package-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const here = await world({ settings: { PACKAGE_TEMPLATE_DIR: folder } });
  const answer = await ask(here, `/v1/servers/${here.server}/package?kind=work`);
  expect([answer.status, await answer.json()]).toMatchObject([
    500,
    { code: "package_template_faulty", remedy: "operator" },
  ]);
  writeFileSync(join(folder, "work"), "");
  expect((await ask(here, `/v1/servers/${here.server}/package?kind=work`)).status).toBe(500);
});
