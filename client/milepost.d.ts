/** What is enrolled in: a course, in a pathway or by itself, or a whole pathway. */
export type Enrolment = { source?: string } & (
  | { course: string; pathway?: string }
  | { pathway: string; course?: undefined }
);

/** A module, and where it was met: a course, a pathway or both. */
export type Module = { module: string } & (
  | { course: string; pathway?: string }
  | { pathway: string; course?: undefined }
);

/** A page that was viewed. HubSpot shows the types `course`, `module` and `pathway`. */
export interface Page {
  type: "course" | "module" | "pathway" | (string & {});
  slug: string;
}

/** The parts of an event, under short names. */
export interface Fields {
  pathway?: string;
  course?: string;
  module?: string;
  source?: string;
  type?: string;
  slug?: string;
}

export type EventName =
  | "learning_module_started"
  | "learning_module_completed"
  | "learning_pathway_enrolled"
  | "learning_pathway_completed"
  | "learning_course_enrolled"
  | "learning_course_completed"
  | "learning_page_viewed";

/**
 * Whose events they are: the holder of a token; a contact by e-mail, HubSpot's record id or both;
 * or nobody (a visitor who is known to be signed out).
 */
export type Person =
  | { token: string }
  | { email: string; contactId?: string | number }
  | { contactId: string | number; email?: string }
  | Record<string, never>;

/** What went wrong, for `onError`. */
export interface Trouble {
  /**
   * - `retry`: an attempt failed and there will be another; nothing is lost
   * - `refused`: the server refuses these events for good
   * - `size`: an event is longer than 10,000 bytes
   * - `full`: there were more than 200, and these were the oldest
   * - `expired`: they waited for 7 days
   *
   * All but `retry` are counted in `lost`.
   */
  reason: "retry" | "refused" | "size" | "full" | "expired";
  /** The events. */
  eventIds: string[];
  /** The server's status; 0 without an answer that the page may read. */
  status?: number;
  /** What the server says against the event. */
  details?: string[];
}

export interface Options {
  /** Where events go: the whole address, `https://…/events/track`. */
  url: string;
  /** Whether the visitor allows it; as if {@link Client.consent} were called first. */
  consent?: boolean;
  /** Is told what went wrong. */
  onError?: (trouble: Trouble) => void;
}

export interface Client {
  /** Enrolled in a course or a pathway. Returns the event's id, as all five do. */
  enroll(what: Enrolment): string | undefined;
  /** Started a module. */
  startModule(what: Module): string | undefined;
  /** Completed a module. */
  completeModule(what: Module): string | undefined;
  /** Viewed a page. */
  viewPage(what: Page): string | undefined;
  /** Any event by its name. Without consent, nothing is kept and there is no id. */
  track(name: EventName, what?: Fields): string | undefined;
  /**
   * Says whose events they are, those included that wait for a name. Until then events are kept and
   * not sent. Without an argument: nobody's, and they are sent as such.
   */
  identify(person?: Person): Promise<number>;
  /**
   * `false` erases what waits; from then on nothing is kept or sent, on any page of the site, until
   * `true`.
   */
  consent(isGiven: boolean): void;
  /** Sends what waits, now. Resolves to the number of events that still wait. */
  flush(): Promise<number>;
  /** How many events this page has given up. */
  readonly lost: number;
}

/** Starts a client. A page has one. */
export function milepost(options: Options): Client;
