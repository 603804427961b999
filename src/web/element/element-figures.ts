import { figureIn } from "../words/figure.ts";

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

const known = new Map<string | undefined, Figures>();

/** `language` is one that `languageOf` answers. Formats are dear to make: all elements of a language share them. */
export function figuresIn(language: string | undefined): Figures {
  const figures = known.get(language) ?? makeFigures(language);
  known.set(language, figures);
  return figures;
}

function makeFigures(language: string | undefined): Figures {
  const format = (options: Intl.NumberFormatOptions) => {
    const { format } = new Intl.NumberFormat(language, options);
    return format;
  };
  const unit = (unit: string, digits = 0) =>
    format({ style: "unit", unit, minimumFractionDigits: digits, maximumFractionDigits: digits });
  const [hours, minutes, seconds, tenths] = [unit("hour"), unit("minute"), unit("second"), unit("second", 1)];
  const relative = new Intl.RelativeTimeFormat(language);
  return {
    figure: figureIn(language),
    percent: format({ style: "percent", maximumFractionDigits: 1 }),
    duration(time) {
      const rounded = Math.round(time * 10) / 10;
      if (rounded < 60) return tenths(rounded);
      const rest = Math.round(time);
      if (rest < 3600) return `${minutes(Math.floor(rest / 60))} ${seconds(rest % 60)}`;
      return `${hours(Math.floor(rest / 3600))} ${minutes(Math.floor(rest / 60) % 60)}`;
    },
    timeLeft(time) {
      if (time < 60) return relative.format(Math.ceil(time), "second");
      const inMinutes = Math.round(time / 60);
      // An hour and a half is not two.
      return inMinutes < 180
        ? relative.format(inMinutes, "minute")
        : relative.format(Math.round(inMinutes / 60), "hour");
    },
  };
}
