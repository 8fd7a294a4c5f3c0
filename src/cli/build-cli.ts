import type { Readable } from "node:stream";
import { Command } from "commander";
import type { ExplainPorts } from "../broker/access/explain-access.ts";
import type { LookUpPorts } from "../broker/audit/look-up-token.ts";
import type { AuditBuffer, AuditChain, AuditReader } from "../broker/audit/ports.ts";
import type { VerifyPorts } from "../broker/audit/verify-audit.ts";
import type { BackupMac, StoreRefill, StoreSnapshot } from "../broker/backup/ports.ts";
import type { ContainmentPorts } from "../broker/containment/contain.ts";
import type { ExportPorts } from "../broker/export/export-tokens.ts";
import type { OfflineKeys } from "../broker/export/ports.ts";
import type { GrantStore } from "../broker/grants/ports.ts";
import type { ImportPorts } from "../broker/import/run-import.ts";
import type { RootKeyPorts } from "../broker/keys/root-keys.ts";
import type { RotationPorts } from "../broker/keys/rotate-data-keys.ts";
import type { ShredPorts } from "../broker/keys/shred-organisation.ts";
import type { ApplyPorts } from "../broker/organisations/apply-configuration.ts";
import type { CertificateReader } from "../broker/organisations/desired-configuration.ts";
import type { RegistrationHelpPorts } from "../broker/organisations/registration-help.ts";
import type { AddressRules } from "../broker/organisations/server-address.ts";
import type { AuditNote, Signer } from "../broker/ports.ts";
import type { ServerProfiles } from "../broker/profile/ports.ts";
import type { MigratePorts } from "../broker/records/migrate-records.ts";
import type { RecordSeals } from "../broker/records/ports.ts";
import type { GateReader } from "../broker/refresh/ports.ts";
import type { RestorePorts } from "../broker/restore/report.ts";
import type { Settings } from "../config/settings.ts";
import type { Secret } from "../domain/secret.ts";
import type { EventLog } from "../events/ports.ts";
import type { Subscriptions } from "../events/subscriptions.ts";
import type { OperateSyncs } from "../sync/operate-syncs.ts";
import { addAuditCommands } from "./audit-commands.ts";
import { addBackupCommands } from "./backup-commands.ts";
import { addClientCommands } from "./client-commands.ts";
import { addConfigurationCommands } from "./configuration-commands.ts";
import { addContainmentCommands } from "./containment-commands.ts";
import type { DiagnoseBroker } from "./diagnose.ts";
import { addDoctorCommand, type CheckFinding } from "./doctor-command.ts";
import { addEventCommands } from "./event-commands.ts";
import { addExamples } from "./examples.ts";
import { addExplainCommand } from "./explain-command.ts";
import { addExportCommands } from "./export-commands.ts";
import { addGrantCommands } from "./grant-commands.ts";
import { addImportCommands } from "./import-commands.ts";
import { addKeyCommands } from "./key-commands.ts";
import { addOrganisationCommands } from "./organisation-commands.ts";
import { addPolicyCommands } from "./policy-commands.ts";
import type { ProgressScreen } from "./progress.ts";
import { addRecordCommands } from "./record-commands.ts";
import { addRestoreCommands } from "./restore-commands.ts";
import { addServerCommands } from "./server-commands.ts";
import { addShowCommands } from "./show-commands.ts";
import type { StatusBroker } from "./status.ts";
import { addStatusCommand } from "./status-command.ts";
import { addSubscriptionCommands } from "./subscription-commands.ts";
import { addSyncCommands } from "./sync-commands.ts";

/** What the commands need. Functions, so that `check` and `keys` ask for no Redis, no keyset and no settings. */
export interface CliDeps {
  /** To standard output. */
  readonly write: (text: string) => void;
  /** To standard error. */
  readonly complain: (text: string) => void;
  /** Makes the process end with this code once it is done. */
  readonly setExitCode: (code: number) => void;
  /** One variable of the environment, for `client_secret_env` and `secret_env`. */
  readonly environment: (name: string) => string | undefined;
  /** What `check` and `apply` accept besides https on public hosts: {@link addressRulesOf} the settings. */
  readonly addressRules: () => AddressRules;
  readonly names: () => Pick<
    Settings,
    "PUBLIC_BASE_URL" | "OTHER_PUBLIC_BASE_URLS" | "PRODUCT_NAME" | "SUPPORT_CONTACT"
  >;
  /** What a PEM text of certificates holds. A fault continues `ca_file` to a sentence. */
  readonly readCertificates: CertificateReader;
  /** The text of a new root keyset. */
  readonly createRootKeyset: () => Secret;
  readonly rootKeysetFiles: RootKeysetFiles;
  /** What a certificate says, or undefined: signed by none of the keys (JWK set, as text), or altered. */
  readonly verifyCertificate: (jws: string, keys: string) => Promise<Record<string, unknown> | undefined>;
  /** A new secret for a downstream client. Needs no keyset: its HMAC is made when a file that names it is applied. */
  readonly createClientSecret: () => Secret;
  /** Standard error, as far as somebody looks at it. */
  readonly screen: ProgressScreen;
  /** Asks whoever is at the terminal; false where nobody is. */
  readonly confirm: (question: string) => Promise<boolean>;
  /** What is read where a command wants a secret that must not stand in its arguments. */
  readonly stdin: () => Readable;
  /** The public keys of the root keyset's signatures; needs no Redis. */
  readonly auditKeys: () => Promise<SignerKeys>;
  /** MACs of backups, by the root keyset; needs no Redis. */
  readonly backupMac: () => Promise<BackupMac>;
  /** An empty store to be filled: a Redis' URL, or `settings` for the one that the settings name. */
  readonly openRefill: (
    into: string,
    passwordFile: string | undefined,
  ) => Promise<{ readonly refill: StoreRefill; readonly close: () => void }>;
  /** Of exports; needs nothing. */
  readonly offlineKeys: Pick<OfflineKeys, "create" | "open">;
  readonly auditChain: AuditChain;
  readonly checkpointReader: (keys: SignerKeys) => VerifyPorts["readCheckpoint"];
  /** Connects, lets `use` work, and closes whatever becomes of it. */
  readonly withBroker: <T>(use: (broker: CliBroker) => Promise<T>) => Promise<T>;
  /** Looks at everything that a start looks at, without starting. */
  readonly examine: (options: { readonly running: boolean }) => AsyncIterable<CheckFinding>;
  /** A sentence for errors of rooms this one does not know (settings, keyset, store); undefined: unforeseen. */
  readonly explain: (error: unknown) => string | undefined;
}

/** Texts of root keyset files. */
export interface RootKeysetFiles {
  add(text: string): { readonly text: Secret; readonly id: string };
  promote(text: string, id: string): Secret;
  retire(text: string, id: string): Secret;
  /** By the service that the settings name. */
  wrap(text: string): Promise<Secret>;
  isWrapped(text: string): boolean;
}
type SignerKeys = Awaited<ReturnType<Signer["publicKeys"]>>;

export interface CliBroker
  extends Omit<ApplyPorts, "secretSource">,
    Pick<RegistrationHelpPorts, "packages">,
    DiagnoseBroker,
    StatusBroker {
  readonly grants: Pick<GrantStore, "listGrants" | "countGrants" | "findGrant" | "timeline">;
  readonly imports: ImportPorts;
  readonly exports: ExportPorts;
  readonly syncs: OperateSyncs;
  readonly explain: ExplainPorts;
  readonly containment: ContainmentPorts;
  readonly recordSeals: RecordSeals;
  readonly snapshot: StoreSnapshot;
  readonly restore: RestorePorts;
  readonly migrations: MigratePorts;
  readonly rotations: Pick<RotationPorts, "keyring" | "keys">;
  readonly rootKeys: RootKeyPorts;
  readonly shredding: ShredPorts;
  readonly audit: LookUpPorts["audit"] & Pick<AuditBuffer, "backlog"> & Pick<AuditReader, "newest">;
  readonly events: Pick<EventLog, "read">;
  readonly subscriptions: Subscriptions["operators"];
  /** Who is at the terminal, for the audit. */
  readonly note: AuditNote;
  readonly profiles: Pick<ServerProfiles, "findProfile"> & GateReader;
}

/** The settings' part in {@link AddressRules}. */
export const addressRulesOf = (
  settings: Pick<Settings, "NODE_ENV" | "EGRESS_LOOPBACK_ORIGINS">,
): AddressRules => ({
  loopbackOrigins: settings.EGRESS_LOOPBACK_ORIGINS,
  loopbackReturnUrls: settings.NODE_ENV !== "production",
});

export interface JsonOption {
  readonly json?: boolean;
}

/** What an operator does by hand. The help lists the commands in the order in which they are added. */
export function buildCli(deps: CliDeps): Command {
  const cli = new Command("cli")
    .description("What an operator does by hand: configure, look, make keys.")
    .configureOutput({ writeOut: deps.write, writeErr: deps.complain })
    .showHelpAfterError("(add --help for the commands and their options)");

  addStatusCommand(cli, deps);
  addDoctorCommand(cli, deps);
  addConfigurationCommands(cli, deps);
  addKeyCommands(cli, deps);
  addShowCommands(cli, deps);
  addGrantCommands(cli, deps);
  addImportCommands(cli, deps);
  addExportCommands(cli, deps);
  addSyncCommands(cli, deps);
  addContainmentCommands(cli, deps);
  addClientCommands(cli, deps);
  addPolicyCommands(cli, deps);
  addExplainCommand(cli, deps);
  addServerCommands(cli, deps);
  addRecordCommands(cli, deps);
  addOrganisationCommands(cli, deps);
  addEventCommands(cli, deps);
  addSubscriptionCommands(cli, deps);
  addAuditCommands(cli, deps);
  addBackupCommands(cli, deps);
  addRestoreCommands(cli, deps);
  addExamples(cli);
  return cli;
}
