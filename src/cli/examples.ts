import type { Command } from "commander";

/** An example of each command, as it is typed behind `cli`. A test reads them with the commands themselves. */
const EXAMPLES: Readonly<Record<string, string>> = {
  status: "status --quick",
  doctor: "doctor config/firms.yaml",
  backup: "backup /var/backups/token-broker.backup",
  "backup verify": "backup verify /var/backups/token-broker.backup",
  restore: "restore /var/backups/token-broker.backup --into settings",
  "restore report": "restore report audit-1.jsonl audit-2.jsonl",
  "restore release": "restore release audit-1.jsonl audit-2.jsonl --confirm 3f9a…",
  check: "check config/firms.yaml",
  apply: "apply config/firms.yaml --dry-run",
  "keys create": "keys create /etc/token-broker/root-keyset.json",
  "keys client-secret": "keys client-secret /etc/token-broker/matter-tracker.secret",
  "keys wrap": "keys wrap /etc/token-broker/root-keyset.json",
  "keys add-root": "keys add-root /etc/token-broker/root-keyset.json",
  "keys promote-root": "keys promote-root /etc/token-broker/root-keyset.json rk_2",
  "keys rewrap": "keys rewrap",
  "keys retire-root": "keys retire-root /etc/token-broker/root-keyset.json rk_1",
  "keys rotate": "keys rotate --organisation meridian",
  "keys status": "keys status",
  "keys public": "keys public > keys.json",
  "keys verify-certificate": "keys verify-certificate meridian.jws --keys keys.json",
  show: "show servers",
  "grants list": "grants list --organisation meridian --json",
  "grants timeline": "grants timeline grt_…",
  "export create-key": "export create-key offline.jwk > offline.public.json",
  "export request":
    'export request --server meridian/dms --key offline.public.json --reason "moves to another product"',
  "export confirm": "export confirm exp_… --server meridian/dms --thumbprint NzbLsXh8…",
  "export write": "export write exp_… --server meridian/dms --out tokens.sealed.ndjson",
  "export open": "export open tokens.sealed.ndjson --key offline.jwk --out tokens.ndjson",
  "import plan": "import plan tokens.csv --format csv --server meridian/dms --application matter-tracker",
  "import run":
    "import run connections.json --format nango --server meridian/dms --application matter-tracker --issued-to token-broker",
  "import open":
    "import open tokens.csv --format csv --server meridian/dms --application matter-tracker --first 10",
  "import steps": "import steps --server meridian/dms --format vault",
  "import status": "import status --server meridian/dms",
  "import undo": "import undo --server meridian/dms",
  "syncs list": "syncs list --organisation meridian",
  "syncs show": "syncs show syn_…",
  "syncs run": "syncs run syn_…",
  "syncs pause": "syncs pause syn_…",
  "syncs resume": "syncs resume syn_…",
  "syncs reset": "syncs reset syn_…",
  "syncs release": "syncs release syn_… --yes",
  "syncs discard": "syncs discard syn_…",
  contain: 'contain client matter-tracker --reason "key found in a repository" --revoke --dry-run',
  "containments list": "containments list --organisation meridian",
  "containments show": "containments show ctn_…",
  "containments receipts": "containments receipts ctn_… > receipts.ndjson",
  "containments reauthorizations": "containments reauthorizations ctn_… > people.csv",
  "containments lift": 'containments lift ctn_… --reason "the key was replaced"',
  "clients list": "clients list",
  "clients show": "clients show matter-tracker",
  "clients stop": "clients stop matter-tracker",
  "clients start": "clients start matter-tracker",
  "clients new-secret": "clients new-secret matter-tracker --expires 90d",
  "clients delete-secret": "clients delete-secret matter-tracker sec_… --dry-run",
  "policies list": "policies list --client matter-tracker",
  "policies show": "policies show matter-tracker meridian",
  "policies put": "policies put matter-tracker meridian policy.yaml --dry-run",
  "policies delete": "policies delete matter-tracker meridian --dry-run",
  "policies explain":
    "policies explain --client matter-tracker --organisation meridian --server dms --action token --user u-amelia",
  "registration-sheet": "registration-sheet meridian/dms --format markdown",
  "registration-package": "registration-package meridian/dms --kind control-center --out package.zip",
  diagnose: "diagnose meridian/dms",
  "records check": "records check",
  "records seal": "records seal --dry-run",
  "records migrate": "records migrate --dry-run",
  "organisations shred": "organisations shred meridian --confirm meridian --revoke --out meridian.jws",
  "events list": "events list --organisation meridian --kind grant.reauthorization_required",
  "subscriptions list": "subscriptions list --organisation meridian",
  "subscriptions show": "subscriptions show sub_…",
  "subscriptions replay": "subscriptions replay sub_… --dead",
  "subscriptions enable": "subscriptions enable sub_…",
  "subscriptions disable": "subscriptions disable sub_…",
  "audit keys": "audit keys > keys.json",
  "audit verify": "audit verify .data/audit.jsonl --keys keys.json",
  "audit lookup": "audit lookup --organisation meridian < token.txt",
};

/** Puts its example under the help of each command. */
export function addExamples(cli: Command): void {
  for (const [path, example] of Object.entries(EXAMPLES)) {
    const command = path
      .split(" ")
      .reduce<Command | undefined>((of, name) => of?.commands.find((one) => one.name() === name), cli);
    command?.addHelpText("after", `\nExample:\n  cli ${example}`);
  }
}
