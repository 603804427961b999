import { ATTEMPT_COURSES } from "./attempt-courses.ts";
import type { Course } from "./course.ts";
import { DEDUPLICATION_COURSES } from "./deduplication-courses.ts";
import { RECORD_COURSES } from "./record-courses.ts";

/** All of them: every rule that is written in TypeScript and in Lua. */
export const COURSES: readonly Course[] = [...RECORD_COURSES, ...ATTEMPT_COURSES, ...DEDUPLICATION_COURSES];
