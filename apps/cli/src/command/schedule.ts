import type { Schedule } from "@drover/proto/drover/schedule";
import { type Context, defineCommand } from "../command.ts";
import { changeEach } from "../each.ts";
import type { ExitCode } from "../exit.ts";
import { notAnswered } from "../fault.ts";
import { scheduleFromFlags, scheduleOptions } from "../schedule-spec.ts";
import { scheduleColumns, scheduleFacts, scheduleJson, scheduleRow } from "../schedule-view.ts";

const name = { name: "NAME", doc: "The schedule." };
const names = { ...name, isRepeatable: true };

/** `drover schedule put` */
export const schedulePut = defineCommand({
  name: "schedule put",
  summary: "Start a workflow by the clock: create a schedule, or replace one.",
  about:
    "Doing it again with the same flags changes nothing. A replaced schedule keeps its pause and, where its times stay " +
    "as they were, what is due. Everything that is not named is as in a new one.",
  positionals: [{ name: "NAME", doc: "Its name, in lower-case letters, digits, dots, - and _." }],
  options: scheduleOptions,
  examples: [
    {
      line: 'drover schedule put nightly --workflow report --cron "0 6 * * mon-fri" --zone Europe/Berlin',
      meaning: "Every working day at six in the morning, by clocks in Berlin",
    },
    {
      line: `drover schedule put hourly --workflow sync --cron @hourly --jitter 5m --overlap skip --input '{"at": "\${schedule.time}"}'`,
      meaning: "Every hour, some minutes after it, unless the last one is still at it",
    },
  ],
  async run(context, { positionals: [scheduleName = ""], options }) {
    const { client, output, signal } = context;
    const spec = await scheduleFromFlags(scheduleName, options);
    const { schedule, created } = await client.schedules.putSchedule({ schedule: spec }, { signal });
    const code = showSchedule(context, schedule);
    output.note(created ? "Created." : "It was there before, and is now as shown.");
    return code;
  },
});

/** `drover schedule list` */
export const scheduleList = defineCommand({
  name: "schedule list",
  summary: "List the schedules, with when each fires next.",
  positionals: [],
  options: {},
  examples: [{ line: "drover schedule list", meaning: "See what starts next, and what could not start" }],
  async run({ client, output, signal }) {
    const schedules: Schedule[] = [];
    let pageToken = "";
    do {
      const page = await client.schedules.listSchedules({ pageSize: 1000, pageToken }, { signal });
      schedules.push(...page.schedules);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    if (output.isJson) output.json(schedules.map(scheduleJson));
    else if (schedules.length === 0) output.note("There are no schedules. Try: drover schedule put --help");
    else
      output.table(
        scheduleColumns,
        schedules.map((schedule) => scheduleRow(schedule, Date.now())),
      );
    return 0;
  },
});

/** `drover schedule get` */
export const scheduleGet = defineCommand({
  name: "schedule get",
  summary: "Show a schedule: its next five times, its last run, why it could not start.",
  positionals: [name],
  options: {},
  examples: [{ line: "drover schedule get nightly", meaning: "Show a schedule" }],
  run: async (context, { positionals: [scheduleName = ""] }) =>
    showSchedule(
      context,
      (await context.client.schedules.getSchedule({ name: scheduleName }, { signal: context.signal })).schedule,
    ),
});

/** `drover schedule pause` */
export const schedulePause = defineCommand({
  name: "schedule pause",
  summary: "Start no further runs by these schedules; those under way go on.",
  positionals: [names],
  options: {},
  examples: [{ line: "drover schedule pause nightly", meaning: "Hold a schedule" }],
  run: (context, { positionals }) =>
    changeEach(context, positionals, async (scheduleName) => {
      await context.client.schedules.pauseSchedule({ name: scheduleName }, { signal: context.signal });
      return { state: "paused", text: `paused. Try: drover schedule resume ${scheduleName}` };
    }),
});

/** `drover schedule resume` */
export const scheduleResume = defineCommand({
  name: "schedule resume",
  summary: "Let paused schedules go on; their catch-up policies decide about the times that have passed.",
  positionals: [names],
  options: {},
  examples: [{ line: "drover schedule resume nightly", meaning: "Let it go on" }],
  run: (context, { positionals }) =>
    changeEach(context, positionals, async (scheduleName) => {
      await context.client.schedules.resumeSchedule({ name: scheduleName }, { signal: context.signal });
      return { state: "active", text: "goes on" };
    }),
});

/** `drover schedule delete` */
export const scheduleDelete = defineCommand({
  name: "schedule delete",
  summary: "Delete schedules; the runs that they started go on.",
  positionals: [names],
  options: {},
  examples: [{ line: "drover schedule delete nightly", meaning: "Delete a schedule" }],
  run: (context, { positionals }) =>
    changeEach(context, positionals, async (scheduleName) => {
      await context.client.schedules.deleteSchedule({ name: scheduleName }, { signal: context.signal });
      return { state: "deleted", text: "deleted" };
    }),
});

function showSchedule({ output }: Context, schedule: Schedule | undefined): ExitCode {
  if (schedule === undefined) throw notAnswered("a schedule");
  if (output.isJson) output.json(scheduleJson(schedule));
  else output.facts(scheduleFacts(schedule, Date.now()));
  return 0;
}
