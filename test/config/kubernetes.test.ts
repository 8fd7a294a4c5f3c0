import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { readSettings, settingsTable } from "../../src/config/settings.ts";
import { timing } from "../../src/domain/access-policy.ts";
import { ROOT } from "../scripts/program.ts";

const FOLDER = join(ROOT, "config/kubernetes");
const settingNames = new Set([...settingsTable().matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name));

type Labels = Record<string, string>;
type Probe = { httpGet: { path: string; port: string }; timeoutSeconds?: number };
type ContainerSpec = {
  name: string;
  image: string;
  command: string[];
  envFrom: { configMapRef: { name: string } }[];
  env?: unknown;
  ports: { name: string; containerPort: number }[];
  securityContext: object;
  startupProbe: Probe;
  livenessProbe: Probe;
  readinessProbe: Probe;
  lifecycle?: { preStop: { sleep: { seconds: number } } };
  volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[];
};
type Resource = {
  kind: string;
  metadata: { name: string; labels?: Labels };
  data: Record<string, string>;
  spec: {
    replicas: number;
    maxUnavailable: number;
    selector: { matchLabels: Labels } & Labels;
    ports: { targetPort: string }[];
    podSelector: { matchLabels: Labels };
    policyTypes: string[];
    ingress?: { ports: { port: string }[] }[];
    egress?: { to: { ipBlock?: { cidr: string; except?: string[] } }[]; ports: { port: number }[] }[];
    template: {
      metadata: { labels: Labels };
      spec: {
        terminationGracePeriodSeconds: number;
        automountServiceAccountToken: boolean;
        securityContext: { runAsUser: number; fsGroup: number };
        topologySpreadConstraints: { labelSelector: { matchLabels: Labels } }[];
        containers: ContainerSpec[];
        volumes: { name: string; secret?: { secretName: string; defaultMode: number } }[];
      };
    };
  };
};

const files = (await readdir(FOLDER)).filter(
  (name) => name.endsWith(".yaml") && name !== "kustomization.yaml",
);
const resources = (
  await Promise.all(
    files.map(async (name) => {
      const documents = parseAllDocuments(await readFile(join(FOLDER, name), "utf8"), { merge: true });
      return documents.map((document) => {
        expect(document.errors, name).toEqual([]);
        return document.toJS() as Resource;
      });
    }),
  )
).flat();
const ofKind = (kind: string) => resources.filter((resource) => resource.kind === kind);
const settings = () => ofKind("ConfigMap")[0]!.data;
const deployments = ofKind("Deployment");
const podOf = ({ spec }: Resource) => spec.template.spec;

test("kustomization.yaml names every manifest, and the image that they use", async () => {
  const { resources: named, images } = parse(await readFile(join(FOLDER, "kustomization.yaml"), "utf8")) as {
    resources: string[];
    images: { name: string; newTag: string }[];
  };
  expect(named.toSorted()).toEqual(files.toSorted());
  const used = deployments.flatMap((it) => podOf(it).containers.map(({ image }) => image));
  expect([...new Set(used)]).toEqual(images.map(({ name }) => name));
  const { version } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { version: string };
  expect(images.map(({ newTag }) => newTag)).toEqual([version]);
});

test("the settings are settings, the broker starts with them, and none is a secret", () => {
  // A name that is no setting would be let through by the process, as any of the environment is.
  expect(Object.keys(settings()).filter((name) => !settingNames.has(name))).toEqual([]);
  expect(readSettings(settings())).toMatchObject({ NODE_ENV: "production" });
  expect(
    Object.keys(settings()).filter(
      (name) => /PASSWORD|SECRET|TOKEN|KEYSET/.test(name) && !name.endsWith("_FILE"),
    ),
  ).toEqual([]);
});

test.each(deployments.map((it) => [it.metadata.name, it] as const))(
  "%s runs what there is, at the ports and paths of the code",
  (name, deployment) => {
    const { containers } = podOf(deployment);
    expect(containers).toHaveLength(1);
    const [container] = containers as [ContainerSpec];
    expect(container.command[0]).toBe("node");
    expect(existsSync(join(ROOT, container.command[1]!)), container.command[1]).toBe(true);
    expect(name).toBe(`token-broker-${/main\/(\w+)\.ts$/.exec(container.command[1]!)?.[1]}`);
    expect(container.envFrom).toEqual([{ configMapRef: { name: ofKind("ConfigMap")[0]!.metadata.name } }]);
    expect(container.env).toBeUndefined();
    const ports = Object.fromEntries(container.ports.map((port) => [port.name, String(port.containerPort)]));
    expect(ports.ops).toBe(settings().OPS_PORT);
    if (name.endsWith("http")) expect(ports.http).toBe(settings().HTTP_PORT);
    expect(container.startupProbe.httpGet).toEqual({ path: "/healthz", port: "ops" });
    expect(container.livenessProbe.httpGet).toEqual({ path: "/healthz", port: "ops" });
    expect(container.readinessProbe.httpGet).toEqual({ path: "/readyz", port: "ops" });
    expect(container.readinessProbe.timeoutSeconds).toBeGreaterThan(5);
  },
);

test.each(deployments.map((it) => [it.metadata.name, it] as const))(
  "%s may do nothing but its work, and its secrets are files that it can read",
  async (_, deployment) => {
    const pod = podOf(deployment);
    expect(pod.automountServiceAccountToken).toBe(false);
    const user = /^USER (\d+):(\d+)$/m.exec(await readFile(join(ROOT, "Dockerfile"), "utf8"));
    expect(pod.securityContext).toMatchObject({
      ...{
        runAsNonRoot: true,
        runAsUser: Number(user![1]),
        runAsGroup: Number(user![2]),
        fsGroup: Number(user![2]),
      },
      seccompProfile: { type: "RuntimeDefault" },
    });
    const [container] = pod.containers as [ContainerSpec];
    expect(container.securityContext).toEqual({
      ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
      capabilities: { drop: ["ALL"] },
    });
    const mount = container.volumeMounts.find(({ name }) => name === "secrets")!;
    expect(mount.readOnly).toBe(true);
    expect(pod.volumes.find(({ name }) => name === "secrets")?.secret?.defaultMode).toBe(0o400);
    const secrets = Object.entries(settings()).filter(([name]) => name.endsWith("_FILE"));
    expect(secrets.length).toBeGreaterThan(1);
    for (const [name, path] of secrets) expect(path, name).toMatch(new RegExp(`^${mount.mountPath}/`));
    expect(container.volumeMounts.map(({ name }) => name).toSorted()).toEqual(
      pod.volumes.map(({ name }) => name).toSorted(),
    );
  },
);

test.each(deployments.map((it) => [it.metadata.name, it] as const))(
  "%s has a second replica elsewhere, a disruption budget, and time to end",
  (name, deployment) => {
    const { labels } = deployment.spec.template.metadata;
    expect(deployment.spec.replicas).toBeGreaterThan(1);
    expect(deployment.spec.selector.matchLabels).toEqual(labels);
    const pod = podOf(deployment);
    expect(pod.topologySpreadConstraints.map(({ labelSelector }) => labelSelector.matchLabels)).toEqual([
      labels,
      labels,
    ]);
    const budget = ofKind("PodDisruptionBudget").find((it) => it.metadata.name === name);
    expect(budget?.spec).toMatchObject({ maxUnavailable: 1, selector: { matchLabels: labels } });
    // The last caller is answered, and a call to iManage that he caused is waited for; what is stored needs moments.
    const preStopMs = (pod.containers[0]!.lifecycle?.preStop.sleep.seconds ?? 0) * 1_000;
    const needsMs = preStopMs + timing.callerDeadlineMs + timing.providerDeadlineMs + 10_000;
    expect(pod.terminationGracePeriodSeconds * 1_000).toBeGreaterThanOrEqual(needsMs);
  },
);

test("the service leads to the public port of the http replicas, and to nothing else", () => {
  const [service] = ofKind("Service");
  const http = deployments.find(({ metadata }) => metadata.name.endsWith("http"))!;
  expect(service!.spec.selector).toEqual(http.spec.template.metadata.labels);
  expect(service!.spec.ports.map(({ targetPort }) => targetPort)).toEqual(["http"]);
});

test("what no policy names is let in or out nowhere: metadata addresses and firms' networks above all", () => {
  const [all, http] = ofKind("NetworkPolicy");
  for (const { spec } of deployments)
    expect(spec.template.metadata.labels).toMatchObject(all!.spec.podSelector.matchLabels);
  expect(all!.spec.policyTypes).toEqual(["Ingress", "Egress"]);
  expect(all!.spec.ingress!.flatMap(({ ports }) => ports.map(({ port }) => port))).toEqual(["ops"]);
  expect(http!.spec.ingress!.flatMap(({ ports }) => ports.map(({ port }) => port))).toEqual(["http"]);
  const wide = all!.spec.egress!.filter(({ to }) => to.some(({ ipBlock }) => ipBlock?.cidr.endsWith("/0")));
  expect(wide.flatMap(({ ports }) => ports.map(({ port }) => port))).toEqual([443]);
  expect(wide[0]!.to.flatMap(({ ipBlock }) => ipBlock?.except ?? [])).toEqual(
    expect.arrayContaining(["10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]),
  );
  const redis = Number(new URL(settings().REDIS_URL!).port);
  expect(all!.spec.egress!.flatMap(({ ports }) => ports.map(({ port }) => port))).toContain(redis);
});
