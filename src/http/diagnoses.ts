import { z } from "zod";
import { allow } from "../broker/clients/policies.ts";
import { API_INTERVAL_MS, type DiagnosisEvent, diagnoseServer } from "../broker/diagnosis/diagnose-server.ts";
import { supportBundle } from "../broker/diagnosis/support-bundle.ts";
import { bundleBody, diagnosisBody, findingBody } from "../broker/diagnosis/tell-diagnosis.ts";
import { diagnosisSteps } from "../domain/diagnosis.ts";
import { organisationOf, type ServerId } from "../domain/id.ts";
import { Problem } from "../domain/problem.ts";
import { type RouteCall, route } from "./route.ts";
import { instant, serverId } from "./schemas.ts";
import { bundle } from "./support-bundle-schema.ts";

const finding = z
  .object({
    step: z.enum(diagnosisSteps),
    title: z.string().meta({ description: "The step, in the words of Control Center." }),
    cause: z.string().meta({ description: "Stable: `<step>.<what>`. More may come." }),
    state: z.enum(["ok", "warning", "failed", "not_known", "skipped"]).meta({
      description: "`not_known`: the answers of this iManage do not tell, and nothing is guessed.",
    }),
    seen: z.string().meta({
      description:
        "What was seen. May quote what iManage sent, printable and cut: escape it, show it to admins alone.",
    }),
    means: z.string(),
    who: z
      .enum(["organisation_admin", "imanage_admin", "operator", "vendor", "nobody"])
      .meta({ description: "Who can change it." }),
    remedy: z.string().nullable().meta({ description: "What is changed where." }),
  })
  .meta({ id: "Finding" });

const diagnosis = z
  .object({
    server: z.string(),
    verdict: z.enum(["good", "attention", "failed"]),
    started_at: instant,
    ended_at: instant,
    request_id: z.string(),
    configuration_generation: z.int(),
    findings: z.array(finding),
    compared_with: instant.nullable().meta({ description: "When the last good diagnosis began." }),
    changes: z
      .array(
        z.object({
          step: z.enum(diagnosisSteps),
          was: z.string(),
          is: z.string(),
          sentence: z.string(),
        }),
      )
      .meta({ description: "What is otherwise than at the last good diagnosis: it worked then." }),
  })
  .meta({ id: "Diagnosis" });

const params = z.strictObject({ id: serverId });

/** Foreign and unknown are the same 404. */
async function mayConfigure({ deps, caller, params: { id } }: RouteCall<{ id: ServerId }, unknown, unknown>) {
  await allow(deps.grants, caller, organisationOf(id), { action: "configure", server: id });
}

export const postDiagnose = route({
  method: "post",
  path: "/v1/servers/{id}/diagnose",
  operationId: "diagnoseServer",
  summary: "Look at a server step by step: what is wrong, and who changes what where",
  description:
    'From DNS to the last sign-in. It observes only: nobody is signed in, no authorisation is spent. A code that was made up is sent to the token endpoint of iManage, with our credentials and with invented ones: so a wrong secret is told from a wrong code. One diagnosis of a server at a time, one a minute. It takes seconds, with a server that hangs up to two minutes: ask with `Accept: application/x-ndjson` and each finding comes on a line of its own, `{"finding": …}`, as soon as it is known; the last line is `{"diagnosis": …}`, the whole, or `{"problem": …}`.',
  params,
  answer: {
    status: 200,
    description: "The diagnosis, kept as the last one; what changed since the last good one.",
    schema: diagnosis,
    lines: z.union([z.object({ finding }), z.object({ diagnosis })]),
  },
  problems: ["not_found", "not_allowed", "diagnosis_running", "diagnosed_recently"],
  async handle(call) {
    await mayConfigure(call);
    const events = diagnoseServer(call.deps.diagnosis, {
      server: call.params.id,
      requestId: call.note.requestId,
      minIntervalMs: API_INTERVAL_MS,
    });
    if (call.streamed) return lines(events);
    for await (const event of events) if ("diagnosis" in event) return diagnosisBody(event.diagnosis);
    throw new Problem("internal_error", { detail: "A diagnosis ended without a result." });
  },
});

async function* lines(events: AsyncIterable<DiagnosisEvent>) {
  for await (const event of events)
    yield "finding" in event
      ? { finding: findingBody(event.finding) }
      : { diagnosis: diagnosisBody(event.diagnosis) };
}

export const getDiagnosis = route({
  method: "get",
  path: "/v1/servers/{id}/diagnosis",
  operationId: "getDiagnosis",
  summary: "The last diagnosis of a server, and the last good one",
  params,
  answer: {
    status: 200,
    description: "Null where there is none yet. Where the last one was good, it is both.",
    schema: z.object({ last: diagnosis.nullable(), last_good: diagnosis.nullable() }),
  },
  problems: ["not_found", "not_allowed"],
  async handle(call) {
    await mayConfigure(call);
    const { servers, diagnoses } = call.deps.diagnosis;
    if ((await servers.findServer(call.params.id)) === undefined) throw new Problem("not_found");
    const { last, lastGood } = await diagnoses.findDiagnoses(call.params.id);
    return {
      last: last === undefined ? null : diagnosisBody(last),
      last_good: lastGood === undefined ? null : diagnosisBody(lastGood),
    };
  },
});

export const getSupportBundle = route({
  method: "get",
  path: "/v1/servers/{id}/support-bundle",
  operationId: "getSupportBundle",
  summary: "What support needs to see of a server, without a secret in it",
  description:
    "The registration as it is known here, settings, what was learned, how sign-ins ended with their request ids, and the last diagnoses. Names no person.",
  params,
  answer: {
    status: 200,
    description: "To be read by people: members may change. Look through it before you send it.",
    schema: bundle
      .extend({ diagnosis: z.object({ last: diagnosis.nullable(), last_good: diagnosis.nullable() }) })
      .meta({ id: "SupportBundle" }),
  },
  problems: ["not_found", "not_allowed"],
  async handle(call) {
    await mayConfigure(call);
    return bundleBody(await supportBundle(call.deps.diagnosis, call.params.id), {
      requestId: call.note.requestId,
      support: call.deps.settings.supportContact,
    });
  },
});
