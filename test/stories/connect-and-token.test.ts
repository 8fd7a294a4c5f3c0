import { describe, expect, it } from "vitest";
import { AMELIA, world } from "../kit/world.ts";

describe("authorise once, then a fresh iManage token in one call", () => {
  it("a user connects, and the token that the client gets opens /api", async () => {
    const { client, server, simulator, connect } = await world();
    const connected = await connect();
    expect(connected.body).toMatchObject({ state: "connected" });

    const token = await client.accessToken({ server, subject: { type: "user", id: AMELIA.subject } });
    expect(token.status).toBe(200);
    const api = await fetch(`${token.body.api_base_url}/api`, {
      headers: { "X-Auth-Token": token.body.access_token },
    });
    expect(await api.json()).toMatchObject({
      data: { auth_status: "authenticated", user: { id: "amelia.hart" } },
    });
    expect(simulator.counts().grant_types).toMatchObject({ authorization_code: 1 });
  });
});
