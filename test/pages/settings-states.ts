import type { Page } from "playwright-core";
import { makeId } from "../../src/domain/id.ts";
import { days, minutes } from "../../src/domain/instant.ts";
import { put } from "../kit/put-records.ts";
import type { World } from "./kit.ts";

/** A state of a page, and the way there. */
export interface State {
  readonly name: string;
  readonly open: () => Promise<unknown>;
}

/** Of the test that is running. */
export interface Tools {
  readonly world: () => World;
  readonly page: () => Page;
  readonly origin: () => string;
  readonly visit: (change?: Parameters<World["visit"]>[0]) => Promise<void>;
}

/** Every state of *iManage settings*. */
export function settingsStates({ world, page, origin, visit }: Tools): State[] {
  const settings = async (path: string): Promise<void> => {
    await visit({ role: "organisation_admin" });
    await page().goto(`${origin()}/settings${path}`);
  };
  const authorities = () => `/servers/${world().server.id}/authorities`;
  const diagnosis = () => `/servers/${world().server.id}/diagnosis`;
  const check = async (): Promise<void> => {
    await settings(diagnosis());
    await page()
      .getByRole("button", { name: /^Check/ })
      .click();
    await page().getByRole("link", { name: "Open the result" }).waitFor();
  };
  const operators = async (path: string, change?: Parameters<World["operator"]>[0]): Promise<void> => {
    const { cookie } = world().operator(change);
    const [name, value] = cookie.replace("__Host-", "").split("=") as [string, string];
    await page()
      .context()
      .addCookies([{ name, value, url: origin() }]);
    await page().goto(`${origin()}/operators${path}`);
  };
  const support = { role: "support", organisations: ["firm"], name: "Sam Support" } as const;
  const firm = () => `/${world().firm.id}/settings`;
  return [
    {
      name: "operators-signed-out",
      open: async () => {
        await operators("");
        await page().getByRole("button", { name: "Sign out" }).click();
        await page().getByText("You are signed out here.").waitFor();
      },
    },
    { name: "operators-sign-in", open: async () => page().goto(`${origin()}/operators`) },
    {
      name: "operators-leaving",
      open: async () => {
        await page().context().clearCookies();
        await page().goto(`${origin()}/operators`);
        await page().getByRole("button", { name: "Sign in" }).click();
        await page().getByRole("link", { name: "Go on" }).waitFor();
      },
    },
    {
      name: "operators",
      open: async () => {
        world().closed = { why: "misconfigured", since: world().now - minutes(20) };
        await operators("");
      },
    },
    { name: "operators-none", open: async () => operators("", { ...support, organisations: [] }) },
    { name: "operators-settings", open: async () => operators(firm()) },
    { name: "operators-access", open: async () => operators(`${firm()}/access`) },
    { name: "operators-server", open: async () => operators(`${firm()}/servers/${world().server.id}`) },
    { name: "support-settings", open: async () => operators(firm(), support) },
    {
      name: "support-server",
      open: async () => operators(`${firm()}/servers/${world().server.id}`, support),
    },
    { name: "support-look-only", open: async () => operators(`${firm()}/access`, support) },
    { name: "settings", open: async () => settings("") },
    {
      name: "settings-trouble",
      open: async () => {
        world().closed = { why: "misconfigured", since: world().now - minutes(20) };
        world().firm = { ...world().firm, enabled: false };
        await settings("?changed=");
      },
    },
    {
      name: "settings-no-secret",
      open: async () => {
        world().registration = { ...world().registration, secrets: [] };
        const members = { everyone: false as const, subjects: ["u-1"], claims: [{ name: "g", value: "i" }] };
        world().firm = { ...world().firm, members };
        await settings("");
      },
    },
    {
      name: "settings-audit",
      open: async () => {
        const { client, server, now } = world();
        const fields = { at: String(now), action: "token.issued", actor: `client:${client.id}` };
        const told = {
          client: client.id,
          server: server.id,
          grant: "grt_0123456789abcdefghjkmnpqrstvwxyz0123",
          token: "Zr0mQy3kq0m1cT2f3l5aXw",
        };
        const more = {
          library: "ACTIVE",
          lent_by: "5948/DTAYLOR",
          purpose: "Matter 4711",
          address: "192.0.2.7",
        };
        world().entries.push({
          sequence: 7,
          fields: { ...fields, ...told, ...more, request: "req_0123456789" },
        });
        await settings("/audit");
      },
    },
    { name: "support-audit", open: async () => operators(`${firm()}/audit?person=nobody`, support) },
    { name: "settings-stored", open: async () => settings(`?stored=${world().server.id}`) },
    { name: "settings-access", open: async () => settings("/access") },
    {
      name: "settings-access-refused",
      open: async () => {
        await settings("/access");
        await page().getByLabel("Enabled for the persons below").check();
        await page().getByLabel("Groups").fill("imanage-users");
        await page().getByRole("button", { name: "Continue" }).click();
        await page().getByText("Error:").waitFor();
      },
    },
    {
      name: "settings-access-review",
      open: async () => {
        await settings("/access");
        await page().getByLabel("Enabled for the persons below").check();
        await page().getByLabel("Persons", { exact: true }).fill("u-1\nu-2\n");
        await page().getByRole("button", { name: "Continue" }).click();
        await page().getByText("What will change").first().waitFor();
      },
    },
    { name: "settings-new-server", open: async () => settings("/new-server") },
    {
      name: "settings-new-server-refused",
      open: async () => {
        const shared = { organisation: undefined, tokenOrigin: "https://cloudimanage.com", name: "cloud" };
        const id = makeId("reg", undefined, world().now, world().random.bytes(16));
        // Each size of the window opens it once.
        const known = await world().store.findRegistrationByName(undefined, shared.name);
        await put.registration(world().store, { ...world().registration, ...shared, id: known?.id ?? id });
        await settings("/new-server");
        await page().getByLabel("Short name").fill("Not a name");
        await page().getByRole("button", { name: "Continue" }).click();
        await page().getByText("Error:").first().waitFor();
      },
    },
    { name: "settings-server", open: async () => settings(`/servers/${world().server.id}`) },
    {
      name: "settings-server-diagnosed",
      open: async () => {
        world().diagnoses.last = {
          v: 1,
          server: world().server.id,
          startedAt: world().now - minutes(3),
          endedAt: world().now - minutes(2),
          requestId: "req_1",
          configurationGeneration: 1,
          findings: [
            {
              step: "tls",
              cause: "tls.expired" as never,
              state: "failed",
              seen: "x",
              means: "m",
              who: "imanage_admin",
              remedy: "Renew it.",
            },
            { step: "dns", cause: "dns.found" as never, state: "ok", seen: "x", means: "m", who: "nobody" },
          ],
          verdict: "failed",
          comparedWith: undefined,
          changes: [],
        };
        await settings("");
        await page().getByText("2 minutes ago").first().waitFor();
        await settings(`/servers/${world().server.id}`);
      },
    },
    {
      name: "settings-server-refused",
      open: async () => {
        await settings(`/servers/${world().server.id}`);
        await page().getByRole("button", { name: "Save the client secret" }).click();
        await page().getByText("Error:").waitFor();
      },
    },
    {
      name: "settings-server-shared",
      open: async () => {
        world().registration = { ...world().registration, organisation: undefined };
        await settings(`/servers/${world().server.id}`);
      },
    },
    {
      name: "settings-authorities",
      open: async () => {
        const trustedCertificates = {
          pem: "",
          certificates: ["Firm Root CA", "Firm Issuing CA 2"].map((subject) => ({
            subject,
            fingerprint: Array(32).fill("A7").join(":"),
            expiresAt: world().now + days(800),
          })),
        };
        world().server = { ...world().server, kind: "on-premises", trustedCertificates };
        await settings(authorities());
      },
    },
    {
      name: "settings-authorities-refused",
      open: async () => {
        world().server = { ...world().server, kind: "on-premises" };
        await settings(authorities());
        await page().getByRole("button", { name: "Continue" }).click();
        await page().getByText("Error:").waitFor();
      },
    },
    { name: "settings-diagnosis-none", open: async () => settings(diagnosis()) },
    {
      name: "settings-diagnosis-running",
      open: async () => {
        await check();
        world().now += minutes(2);
      },
    },
    {
      name: "settings-diagnosis-good",
      open: async () => {
        await check();
        world().now += minutes(2);
        await page().getByRole("link", { name: "Open the result" }).click();
      },
    },
    {
      name: "settings-diagnosis-failed",
      open: async () => {
        await check();
        world().now += days(1);
        world().probes.said = "The client is <b>not</b> known or its redirect_uri is unregistered";
        await check();
        world().now += minutes(2);
        await page().getByRole("link", { name: "Open the result" }).click();
        await page().getByText("This is otherwise since").waitFor();
        world().probes.said = "";
      },
    },
    {
      name: "settings-diagnosis-too-soon",
      open: async () => {
        world().now += minutes(2);
        await check();
        await settings("");
        await page().getByRole("button", { name: "Check this server" }).click();
        await page().getByText("It can be checked again in").waitFor();
      },
    },
    {
      name: "settings-diagnosis-stopped",
      open: async () => {
        world().now += minutes(2);
        world().probes.fault = new Error("away");
        await settings(diagnosis());
        await page()
          .getByRole("button", { name: /^Check/ })
          .click();
        await page().getByText("It ended here.").waitFor();
      },
    },
  ];
}
