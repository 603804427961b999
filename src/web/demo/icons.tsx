import type { ComponentChildren } from "preact";

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg
      class="icon"
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      stroke-width="1.8"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  );
}

export const CheckIcon = () => (
  <Icon>
    <path d="m4.5 10.5 3.5 3.5 7.5-8" />
  </Icon>
);

export const CrossIcon = () => (
  <Icon>
    <path d="m5.5 5.5 9 9m0-9-9 9" />
  </Icon>
);

export const AlertIcon = () => (
  <Icon>
    <path d="M10 3 2.5 16.5h15L10 3Z" />
    <path d="M10 8.5v3.5m0 2.2v.1" />
  </Icon>
);

export const ShieldIcon = () => (
  <Icon>
    <path d="M10 2.5 3.8 5v4.6c0 3.7 2.5 6.6 6.2 7.9 3.7-1.3 6.2-4.2 6.2-7.9V5L10 2.5Z" />
    <path d="m7.2 10 2 2 3.6-4" />
  </Icon>
);

export const LinkIcon = () => (
  <Icon>
    <path d="M8.5 11.5a3 3 0 0 0 4.2 0l2.6-2.6a3 3 0 0 0-4.2-4.2l-.9.9" />
    <path d="M11.5 8.5a3 3 0 0 0-4.2 0l-2.6 2.6a3 3 0 0 0 4.2 4.2l.9-.9" />
  </Icon>
);

export const PlayIcon = () => (
  <Icon>
    <path d="M6.5 4.2v11.6L15.5 10 6.5 4.2Z" fill="currentColor" />
  </Icon>
);

export const ChevronIcon = () => (
  <Icon>
    <path d="m7.5 4.5 5.5 5.5-5.5 5.5" />
  </Icon>
);
