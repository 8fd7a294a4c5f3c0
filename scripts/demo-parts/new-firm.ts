import { randomBytes } from "node:crypto";
import type { WalkingClient } from "../walk/client.ts";
import { type Answered, escaped, page } from "./app-page.ts";
import type { SimulatorControl } from "./simulator-control.ts";

/** A firm that has nothing yet: no server, no registration, nobody who authorized. */
export interface NewFirm {
  readonly organisation: string;
  readonly displayName: string;
  readonly control: SimulatorControl;
}

export interface NewFirmVisit {
  readonly client: WalkingClient;
  /** Whoever sits at the browser. */
  readonly visitor: string;
  readonly returnUrl: string;
}

/** The steps from nothing to the first token, to click through by hand. */
export const newFirmHome = ({ displayName, control }: NewFirm): Answered =>
  page(
    `${displayName}: from nothing to the first token`,
    `<p>You are its admin, the admin of its iManage, and a user of it, one after the other.</p>
<ol>
<li><a href="/new-firm/settings">iManage settings</a>: <i>Add a server</i>, address <code>${escaped(control.origin)}</code>,
Client ID as you like. The page that follows has the values for Control Center.</li>
<li><a href="/new-firm/control-center" target="_blank">Control Center</a> (simulated): register the application with those values. It
shows a Client Secret, once: enter it on the settings page.</li>
<li><a href="/new-firm/integrations">My integrations</a>: authorize (simulated: e.moreau / moreau).</li>
<li><a href="/new-firm/token">Token</a>: the first one.</li>
</ol>`,
  );

/** The firm's product sends its signed-in person to the broker's pages. */
export const openPortal = (
  { organisation }: NewFirm,
  { client, visitor, returnUrl }: NewFirmVisit,
  role: "organisation_admin" | "user",
) =>
  client.call<{ url: string }>("POST", "/v1/portal-sessions", {
    organisation,
    subject: { type: "user", id: visitor },
    role,
    return_url: returnUrl,
  });

/** Of Control Center › Settings › Applications › Add Application what an admin fills in by hand. */
export const controlCenter = (): Answered =>
  page(
    "Add Application",
    `<p>Simulated Control Center: nothing here is iManage's own page.</p>
<form method="post" action="/new-firm/control-center">
<label>Client ID <input name="client_id" required></label>
<label>Redirect URL <input name="redirect_url" size="80" required></label>
<label>Allow Refresh Token <select name="allow_refresh_token"><option>No</option><option>Yes</option></select></label>
<p><button>Save</button></p></form>`,
  );

export async function register({ control }: NewFirm, form: URLSearchParams): Promise<Answered> {
  const secret = `sim_secret_${randomBytes(12).toString("hex")}`;
  await control.putRegistration(form.get("client_id") ?? "", {
    name: "Matter tracker",
    client_secrets: [{ value: secret }],
    redirect_urls: [form.get("redirect_url") ?? ""],
    allow_refresh_token: form.get("allow_refresh_token") === "Yes",
  });
  return page("Client Secret", `<p>It is shown this once: <code>${secret}</code></p>`);
}

/** The server that its admin added, if he did. */
export async function firstServer(
  { organisation }: NewFirm,
  client: WalkingClient,
): Promise<string | undefined> {
  const query = new URLSearchParams({ organisation });
  const { body } = await client.call<{ items?: { id: string }[] }>("GET", `/v1/servers?${query}`);
  return body.items?.[0]?.id;
}
