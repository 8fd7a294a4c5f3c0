import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { readPrometheusText } from "../../../scripts/metrics/prometheus-text.ts";
import { buildCli, type CliDeps } from "../../../src/cli/build-cli.ts";
import { tellMetrics } from "../../../src/main/tell-metrics.ts";
import { ALL_METRICS } from "../../../src/ops/metrics/all-metrics.ts";
import { addProcessMetrics } from "../../../src/ops/metrics/metrics.ts";
import { world } from "../../kit/world.ts";

const file = (name: string): string => readFileSync(new URL(`../../../${name}`, import.meta.url), "utf8");

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}
const rules = (parse(file("config/alerts.yaml")) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const alerts = rules.filter(({ alert }) => alert !== undefined);
const recorded = new Set(rules.flatMap(({ record }) => record ?? []));

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}
const { panels } = JSON.parse(file("config/grafana-dashboard.json")) as { panels: Panel[] };

/** Words of PromQL that are no metric's name. */
const WORDS = new Set(
  "sum max min abs rate increase histogram_quantile by on or and offset vector absent without unless".split(
    " ",
  ),
);

interface Used {
  readonly name: string;
  readonly labels: readonly { readonly label: string; readonly op: string; readonly value: string }[];
}

/** What an expression asks for. Grouping labels and durations are taken off first. */
function asked(expr: string): { readonly used: readonly Used[]; readonly grouped: readonly string[] } {
  const grouped = [...expr.matchAll(/\b(?:by|without|on)\s*\(([^)]*)\)/g)].flatMap(([, list]) =>
    list!.split(",").flatMap((name) => name.trim() || []),
  );
  const rest = expr
    .replaceAll(/\b(?:by|without|on)\s*\([^)]*\)/g, " ")
    .replaceAll(/\[[^\]]*\]/g, " ")
    .replaceAll(/offset \d+[smhd]/g, " ");
  const used = [...rest.matchAll(/([a-zA-Z_:][\w:]*)(?:\{([^}]*)\})?/g)]
    .filter(([, name]) => !WORDS.has(name!) && !/^\d/.test(name!))
    .map(([, name, matchers = ""]) => ({
      name: name!,
      labels: [...matchers.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)].map(([, label, op, value]) => ({
        label: label!,
        op: op!,
        value: value!,
      })),
    }));
  return { used: used.filter(({ name }) => !/^[se]?\d*$/.test(name)), grouped };
}

/** Series → its labels and the values that they can have. Undefined: any, as `le` and what Prometheus adds. */
type Exposed = ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string> | undefined>>;
let exposedOnce: Promise<Exposed> | undefined;
const whatIsExposed = (): Promise<Exposed> => {
  exposedOnce ??= lookAtBroker();
  return exposedOnce;
};

async function lookAtBroker(): Promise<Exposed> {
  // What the composed broker really answers, with what its catalogue says of values that nobody has made yet.
  const { broker } = await world();
  addProcessMetrics(broker.metrics.registry);
  const { samples, types } = readPrometheusText(await tellMetrics(broker, [])());
  const all = new Map<string, Map<string, Set<string> | undefined>>();
  const add = (name: string, label: string, value: string) => {
    const labels = all.get(name) ?? new Map<string, Set<string> | undefined>();
    if (label !== "") labels.set(label, (labels.get(label) ?? new Set()).add(value));
    all.set(name, labels);
  };
  for (const { name, labels } of samples) {
    add(name, "", "");
    for (const [label, value] of Object.entries(labels)) add(name, label, value);
  }
  for (const { name, labels = {}, type } of ALL_METRICS) {
    // Every one of them is announced, also where there is nothing yet to tell of.
    expect([name, types.get(name)]).toEqual([name, type]);
    if (type !== "gauge") continue;
    add(name, "", "");
    for (const [label, values] of Object.entries(labels))
      for (const value of values.length === 0 ? ["srv_x"] : values) add(name, label, value);
  }
  for (const [name, labels] of all) {
    labels.set("instance", undefined);
    labels.set("job", undefined);
    labels.set("le", undefined);
    if (name === "token_broker_server_closed_seconds") labels.set("server", undefined);
  }
  return all;
}

async function faultsOf(expr: string): Promise<readonly string[]> {
  const exposed = await whatIsExposed();
  const { used, grouped } = asked(expr);
  const faults: string[] = [];
  if (used.length === 0) faults.push("asks for nothing");
  for (const { name, labels } of used) {
    if (recorded.has(name)) continue;
    const known = exposed.get(name);
    if (known === undefined) {
      faults.push(`${name} is exposed by nobody`);
      continue;
    }
    for (const { label, op, value } of labels) {
      if (!known.has(label)) faults.push(`${name} has no label ${label}`);
      const values = known.get(label);
      const wanted = op.endsWith("~") ? value.split("|") : [value];
      for (const one of wanted)
        if (values !== undefined && !values.has(one)) faults.push(`${name}: ${label} is never ${one}`);
    }
  }
  // In an expression of several, the one that is grouped has the label.
  for (const label of grouped)
    if (!used.some(({ name }) => recorded.has(name) || exposed.get(name)?.has(label)))
      faults.push(`nothing has a label ${label}`);
  let depth = 0;
  for (const c of expr.replaceAll(/"[^"]*"/g, "")) {
    depth += "([{".includes(c) ? 1 : ")]}".includes(c) ? -1 : 0;
    if (depth < 0) break;
  }
  if (depth !== 0) faults.push("brackets do not fit");
  return faults;
}

describe("alert rules and dashboard", () => {
  it("ask for nothing but metrics, labels and values that a composed broker exposes", async () => {
    const asking = [
      ...rules.map(({ alert, record, expr }) => ({ what: alert ?? record!, expr })),
      ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ what: title, expr }))),
    ];
    expect(asking.length).toBeGreaterThan(80);
    const faults: string[] = [];
    for (const { what, expr } of asking)
      faults.push(...(await faultsOf(expr)).map((fault) => `${what}: ${fault}`));
    expect(faults).toEqual([]);
  });

  it("would be told of a metric, a label or a value that does not exist", async () => {
    expect(await faultsOf("sum(rate(token_broker_token_request_total[5m]))")).toEqual([
      "token_broker_token_request_total is exposed by nobody",
    ]);
    expect(await faultsOf('sum by (results) (token_broker_token_requests_total{outcome="x"})')).toEqual([
      "token_broker_token_requests_total has no label outcome",
      "nothing has a label results",
    ]);
    expect(await faultsOf('token_broker_refreshes_total{fault=~"operator|imanages"}')).toEqual([
      "token_broker_refreshes_total: fault is never imanages",
    ]);
    expect(await faultsOf("sum(rate(token_broker_refreshes_total[5m])")).toEqual(["brackets do not fit"]);
  });

  it("show every metric of ours on the dashboard", () => {
    const shown = new Set(
      panels.flatMap(({ targets = [] }) =>
        targets.flatMap(({ expr }) =>
          asked(expr).used.map(({ name }) => name.replace(/_(bucket|count|sum)$/, "")),
        ),
      ),
    );
    expect(ALL_METRICS.map(({ name }) => name).filter((name) => !shown.has(name))).toEqual([]);
  });

  it("are one number from many processes: what Redis holds is never added up over them", () => {
    const cluster = new Set(ALL_METRICS.filter((metric) => metric.of === "cluster").map(({ name }) => name));
    const all = [
      ...rules.map(({ expr }) => expr),
      ...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ];
    for (const expr of all)
      for (const { name } of asked(expr).used)
        if (cluster.has(name))
          expect(expr, expr).toMatch(
            new RegExp(`(?:max|min|absent)(?: by \\([^)]*\\))? ?\\((?:abs\\()?${name}`),
          );
  });

  it("say who must act, how urgent it is, and have their heading in the runbook with what to do", () => {
    const runbook = file("src/ops/RUNBOOK.md");
    const sections = new Map(
      runbook
        .split(/^## /m)
        .slice(1)
        .map((section) => [section.slice(0, section.indexOf("\n")), section]),
    );
    expect([...sections.keys()]).toEqual(alerts.map(({ alert }) => alert));
    for (const { alert, labels = {}, annotations = {} } of alerts) {
      expect(labels.severity, alert).toMatch(/^(page|ticket)$/);
      expect(labels.who, alert).toMatch(/^(operator|imanage-admin|security|client)$/);
      expect(annotations.summary, alert).toMatch(
        /^(The operator|The firm's iManage administrator|The owner of|Security)[^:]* (acts?|looks|tells)\b/,
      );
      expect(annotations.runbook_url, alert).toBe(`src/ops/RUNBOOK.md#${alert!.toLowerCase()}`);
      expect(annotations.description!.length, alert).toBeGreaterThan(40);
      const section = sections.get(alert!)!;
      for (const part of ["Means", "People notice", "Look", "Do", "Over"])
        expect(section, `${alert}: ${part}`).toContain(`**${part}**`);
    }
  });

  it("lead to commands that the CLI has, with their options", () => {
    const cli = buildCli({ write() {}, complain() {} } as unknown as CliDeps);
    const told = [...file("src/ops/RUNBOOK.md").matchAll(/npm run cli -- ([^`]+)`/g)].map(
      ([, words]) => words!,
    );
    expect(told.length).toBeGreaterThan(15);
    for (const words of told) {
      let command = cli;
      const rest = words.replaceAll(/"[^"]*"/g, "text").split(/\s+/);
      for (;;) {
        const next = command.commands.find((one) => one.name() === rest[0]);
        if (next === undefined) break;
        command = next;
        rest.shift();
      }
      expect(command.commands, `${words}: no such command`).toEqual([]);
      const options = rest.filter((word) => word.startsWith("--"));
      for (const option of options)
        expect(
          command.options.map(({ long }) => long),
          words,
        ).toContain(option);
    }
  });

  const promtool = ["/usr/bin/promtool", process.env.PROMTOOL ?? ""].find(
    (path) => path !== "" && existsSync(path),
  );
  it.skipIf(promtool === undefined)(
    "hold what promtool says of them, and fire as their own tests say",
    () => {
      const run = (...words: string[]) => execFileSync(promtool!, words, { encoding: "utf8" });
      expect(run("check", "rules", "config/alerts.yaml")).toContain("SUCCESS");
      expect(run("test", "rules", "test/ops/metrics/alerts.test.yaml")).toContain("SUCCESS");
    },
  );
});
