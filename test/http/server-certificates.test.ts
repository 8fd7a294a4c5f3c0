import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { issue, makeAuthority } from "../kit/certificates.ts";
import { world } from "../kit/world.ts";

const authority = makeAuthority("Meridian CA");
const told = {
  kind: "on-premises",
  address: "https://dms.meridian.example",
  customer_id: "1",
  registration: { client_id: "token-broker" },
};

it("T17 a server's own certificate authorities come by API, stay when not mentioned, and go when told to", async () => {
  const { client, organisation } = await world();
  const put = async (change: object) =>
    client.call("PUT", `/v1/organisations/${organisation}/servers/private`, { ...told, ...change });
  const shown = ({ body }: Awaited<ReturnType<typeof put>>) => {
    const { ca_certificates, configuration_generation } = body.server as unknown as {
      readonly ca_certificates: readonly { readonly subject: string }[];
      readonly configuration_generation: number;
    };
    return {
      names: ca_certificates.map(({ subject }) => subject),
      configuration_generation,
    };
  };
  const made = await put({ ca_certificates: authority.certificate });
  expect(shown(made)).toEqual({ names: ["Meridian CA"], configuration_generation: 1 });
  const { id } = made.body.server as { id: string };
  expect((await client.call("GET", `/v1/servers/${id}`)).body).toMatchObject({
    ca_certificates: [
      {
        subject: "Meridian CA",
        fingerprint: expect.stringMatching(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/),
        expires_at: expect.any(String),
      },
    ],
  });
  expect(shown(await put({}))).toEqual({ names: ["Meridian CA"], configuration_generation: 1 });
  const another = makeAuthority("Another CA");
  expect(shown(await put({ ca_certificates: another.certificate }))).toEqual({
    names: ["Another CA"],
    configuration_generation: 2,
  });
  expect(shown(await put({ ca_certificates: "" }))).toEqual({ names: [], configuration_generation: 3 });

  const leaf = issue(authority, { hosts: ["dms.meridian.example"] });
  for (const [text, sentence] of [
    [leaf.key, "holds a private key"],
    [leaf.certificate, "of a server, not of the authority"],
    ["nothing", "holds no certificate"],
  ] as const) {
    const refused = await put({ ca_certificates: text });
    expect([refused.status, refused.body]).toMatchObject([
      400,
      { faults: [{ field: "ca_certificates", message: expect.stringContaining(sentence) }] },
    ]);
    expect(JSON.stringify(refused.body)).not.toContain(text.slice(40, 90) || "nothing");
  }
  expect((await put({ ca_file: "/etc/ssl/ca.pem" })).status).toBe(400);
});

it("T14 with a proxy of the operator's every server is reached through it, and no name is looked up here", async () => {
  const targets: string[] = [];
  const proxy = createServer();
  proxy.on("connect", ({ url, headers }, socket: Socket) => {
    targets.push(`${url} ${String(headers["proxy-authorization"])}`);
    socket.end("HTTP/1.1 403 Not from here\r\nContent-Length: 0\r\n\r\n");
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void proxy.close());
  const url = `http://broker@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const { client, organisation } = await world({ settings: { EGRESS_PROXY_URL: url } });
  const made = await client.call("PUT", `/v1/organisations/${organisation}/servers/far`, told);
  const { id } = made.body.server as { id: string };
  const diagnosis = await client.call("POST", `/v1/servers/${id}/diagnose`);
  expect(diagnosis.status).toBe(200);
  expect(JSON.stringify(diagnosis.body)).not.toContain("ENOTFOUND");
  expect(targets.length).toBeGreaterThan(0);
  expect(new Set(targets)).toEqual(new Set([`dms.meridian.example:443 Basic ${btoa("broker:")}`]));
});
