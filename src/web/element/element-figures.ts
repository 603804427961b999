import { figure } from "../words/figure.ts";

/** Writes figures in one language. */
export interface Figures {
  /** Any number in a few characters. */
  figure(value: number): string;
  /** A share from 0 to 1, as `12.5%`. */
  percent(share: number): string;
  /** `3.2 sec`, `4 min 5 sec`, `2 hr 10 min`. */
  duration(seconds: number): string;
  /** `in 30 seconds`, `in 3 minutes`, `in 5 hours`. */
  timeLeft(seconds: number): string;
}

/** `language` is one that `languageOf` answers. */
export function figuresIn(language: string | undefined): Figures {
  const unit = (value: number, name: string, digits = 0) =>
    value.toLocaleString(language, {
      style: "unit",
      unit: name,
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
  const relative = new Intl.RelativeTimeFormat(language);
  return {
    figure: (value) => figure(value, language),
    percent: (share) => share.toLocaleString(language, { style: "percent", maximumFractionDigits: 1 }),
    duration(seconds) {
      const tenths = Math.round(seconds * 10) / 10;
      if (tenths < 60) return unit(tenths, "second", 1);
      const rest = Math.round(seconds);
      if (rest < 3600) return `${unit(Math.floor(rest / 60), "minute")} ${unit(rest % 60, "second")}`;
      const minutes = Math.floor(rest / 60);
      return `${unit(Math.floor(minutes / 60), "hour")} ${unit(minutes % 60, "minute")}`;
    },
    timeLeft(seconds) {
      if (seconds < 60) return relative.format(Math.ceil(seconds), "second");
      const minutes = Math.round(seconds / 60);
      // An hour and a half is not two.
      return minutes < 180
        ? relative.format(minutes, "minute")
        : relative.format(Math.round(minutes / 60), "hour");
    },
  };
}
