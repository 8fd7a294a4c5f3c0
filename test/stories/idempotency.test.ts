import { expect, it } from "vitest";
import { AMELIA, RETURN_URL, world } from "../kit/world.ts";

it("a repeated Idempotency-Key begins one connect session, and tells its start link once", async () => {
  const { client, server } = await world();
  const body = { server, subject: { type: "user", id: AMELIA.subject }, return_url: RETURN_URL };
  const post = (sent: object, key: string) =>
    client.call("POST", "/v1/connect-sessions", sent, { "idempotency-key": key });

  const first = await post(body, "order-1");
  expect(first.status).toBe(201);
  expect(first.body.start_url).toBeDefined();
  const again = await post(body, "order-1");
  expect(again).toMatchObject({ status: 201, body: { id: first.body.id } });
  expect(again.body.start_url).toBeUndefined();

  expect(await post({ ...body, login_hint: "someone else" }, "order-1")).toMatchObject({
    status: 409,
    body: { code: "idempotency_conflict" },
  });
  expect((await post(body, "order-2")).body.id).not.toBe(first.body.id);
  expect(await post(body, "no spaces")).toMatchObject({ status: 400 });
});

it("a refused request gives its Idempotency-Key back, and of twenty at once one is done", async () => {
  const { client, server } = await world();
  const body = { server, subject: { type: "user", id: AMELIA.subject }, return_url: RETURN_URL };
  const post = (sent: object) =>
    client.call("POST", "/v1/connect-sessions", sent, { "idempotency-key": "k" });
  expect((await post({ ...body, return_url: "https://elsewhere.example/" })).body.code).toBe(
    "return_url_not_registered",
  );
  const answers = await Promise.all(Array.from({ length: 20 }, () => post(body)));
  const ids = new Set(answers.filter(({ status }) => status === 201).map(({ body: { id } }) => id));
  expect(ids.size).toBe(1);
  expect(answers.filter(({ status }) => status === 201 || status === 503)).toHaveLength(20);
});
