import { signal } from "@preact/signals";

/** The suspicious region that the frame shows and the list marks. */
export const chosenRegion = signal(0);
