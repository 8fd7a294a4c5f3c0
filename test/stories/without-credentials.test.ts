import { expect, it } from "vitest";
import { publicApp } from "../../src/main/start-http.ts";
import { documentOf, operationsOf } from "../http/openapi-document.ts";
import { routesOf } from "../kit/routes-of.ts";
import { world } from "../kit/world.ts";

/** What anybody may read: about the product, not about a firm. */
const FOR_ANYBODY = /^\/(docs|openapi\.json|brand|\.well-known)/;
/** A page that says that a sign-in or a link is missing, and nothing else. */
const SAYS_THAT_IT_IS_MISSING = /sign in|link|not there|no longer|nothing here/i;

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];
const OPERATORS_OWN = [
  "/queues",
  "/queues/api/queues",
  "/metrics",
  "/readyz",
  "/healthz",
  "/debug",
  "/admin",
  "/.git/config",
  "/.env",
  "/package.json",
  "/src/main/http.ts",
];

it("T37 without credentials no route of the public listener answers 200 with anything of a firm, and none of the operators' is there", async () => {
  const here = await world();
  await here.connect();
  const ids: Record<string, string> = {
    organisation: here.organisation,
    server: here.server,
    id: here.server,
    library: "ACTIVE",
  };
  const routes = [
    ...operationsOf(documentOf(here.base)).map(({ method, path }) => ({
      method: method.toUpperCase(),
      path,
    })),
    ...routesOf(publicApp(here.broker)).map((route) => {
      const [method = "", path = ""] = route.split(" ");
      return { method, path: path.replaceAll(/:(\w+)/g, "{$1}") };
    }),
    ...OPERATORS_OWN.flatMap((path) => ["GET", "POST"].map((method) => ({ method, path }))),
  ];
  expect(routes.length).toBeGreaterThan(80);
  const told: string[] = [];
  for (const { method, path } of routes) {
    if (FOR_ANYBODY.test(path) || !METHODS.includes(method)) continue;
    const url = `${here.base}${path.replaceAll(/\{(\w+)\}/g, (_, name) => ids[name] ?? "x")}`;
    for (const headers of [
      {},
      { authorization: "Basic YWRtaW46YWRtaW4=" },
      { cookie: "imb-operator=x; imb-page=x; imb-portal=x" },
    ]) {
      const answer = await fetch(url, {
        method,
        redirect: "manual",
        headers: headers as Record<string, string>,
      });
      const text = await answer.text();
      if (/amelia|grt_|sim_|token-broker"|Hart /.test(text))
        told.push(`${method} ${path}: ${answer.status} tells of a firm`);
      if (
        answer.status === 200 &&
        !(answer.headers.get("content-type")?.startsWith("text/html") && SAYS_THAT_IT_IS_MISSING.test(text))
      )
        told.push(
          `${method} ${path}: ${answer.status} ${/<h1>([^<]*)/.exec(text)?.[1] ?? text.slice(0, 80)}`,
        );
      if (OPERATORS_OWN.includes(path) && answer.status !== 404)
        told.push(`${method} ${path}: ${answer.status}`);
    }
  }
  expect([...new Set(told)]).toEqual([]);
});
