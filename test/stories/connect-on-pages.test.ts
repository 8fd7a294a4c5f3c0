import { describe, expect, it } from "vitest";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import { lendLibrary } from "../../scripts/walk/lend-library.ts";
import { expectPage, storedNouns } from "../kit/connecting.ts";
import { AMELIA, world } from "../kit/world.ts";

const ADMIN = { ...AMELIA, email: "amelia.hart@hartlowell.example" };
const TOKEN_LIFE_MS = 30 * 60_000;

describe("signing in on the broker's own pages", () => {
  it("T01 works at a server that is known to send iss", async () => {
    const built = await world({
      serverSettings: { issuer: "required" },
      prepare: (simulator) => simulator.setSwitches({ iss: "sent" }),
    });
    const page = await lendLibrary(`${built.base}/servers/${built.server}/libraries`, "ACTIVE", ADMIN);
    expect(page.url).toContain("authorized=ACTIVE");
    expect(page.body).toContain("is authorized.");
    const token = await built.client.accessToken({
      server: built.server,
      subject: { type: "library", id: "ACTIVE" },
    });
    expect(token.status).toBe(200);
  });

  it("T01 is refused where iss is missing or another's, with a page, and iManage is not asked for a token", async () => {
    for (const iss of ["absent", "wrong"] as const) {
      const built = await world({
        serverSettings: { issuer: "required" },
        prepare: (simulator) => simulator.setSwitches({ iss }),
      });
      const browser = new WalkingBrowser();
      await lendLibrary(`${built.base}/servers/${built.server}/libraries`, "ACTIVE", ADMIN, browser).catch(
        () => {},
      );
      expect(built.simulator.counts().routes.token).toBeUndefined();
      expect(await storedNouns(built, built.organisation)).not.toHaveProperty("page-session");
      const told = built.lines.map((line) => JSON.parse(line)).map(({ code }) => code);
      expect(told).toContain("authorization_server_mismatch");
      const page = await browser.get(`${built.base}/connect/error/authorization_server_mismatch`);
      expectPage(page, "authorization_server_mismatch");
    }
  });

  it("an iManage that fails while it is asked who administers the library costs nobody his grant", async () => {
    const built = await world({
      prepare: (simulator) => simulator.setSwitches({ new_consent: "ends_earlier_refresh_token" }),
    });
    const connected = await built.connect();
    // The list of libraries fails after the second sign-in, whose consent has ended the first refresh token.
    const page = `${built.base}/servers/${built.server}/libraries`;
    const shown = lendLibrary(page, "ACTIVE", ADMIN);
    let redeemed = 0;
    await built.simulator.waitFor((event) => {
      if (event?.type === "redeemed") redeemed++;
      return redeemed === 2;
    });
    built.simulator.addFault({ on: { route: "api" }, times: "always", do: { answer: { status: 503 } } });
    const ended = await shown;
    expect(ended.url).toContain("/connect/error/imanage_unavailable");
    built.simulator.clearFaults();

    built.advance(TOKEN_LIFE_MS);
    const token = await built.client.accessToken({
      server: built.server,
      subject: { type: "user", id: AMELIA.subject },
    });
    expect(token.body).toMatchObject({ grant: connected.body.grant });
    expect(token.status).toBe(200);
  });
});
