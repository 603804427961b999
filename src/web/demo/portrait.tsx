/** The illustration that stands in for a video frame: a newsreader in a studio, drawn on 1600 × 900. */
export function Portrait() {
  return (
    <g>
      <Studio />
      <Shoulders />
      <Head />
      <Features />
    </g>
  );
}

export function PortraitPaints() {
  return (
    <defs>
      <linearGradient id="studio" x1="0" y1="0" x2="1" y2="1">
        <stop offset="0" stop-color="#16324f" />
        <stop offset="0.55" stop-color="#12233d" />
        <stop offset="1" stop-color="#0b1426" />
      </linearGradient>
      <radialGradient id="glow" cx="0.5" cy="0.42" r="0.55">
        <stop offset="0" stop-color="#5fa8d3" stop-opacity="0.55" />
        <stop offset="1" stop-color="#5fa8d3" stop-opacity="0" />
      </radialGradient>
      <linearGradient id="skin" x1="0.1" y1="0" x2="0.95" y2="0.6">
        <stop offset="0" stop-color="#f3c7a3" />
        <stop offset="0.6" stop-color="#e3a77e" />
        <stop offset="1" stop-color="#b9774f" />
      </linearGradient>
      <linearGradient id="neck" x1="0" y1="0" x2="0" y2="1">
        <stop offset="0" stop-color="#a9673f" />
        <stop offset="1" stop-color="#d3966c" />
      </linearGradient>
      <linearGradient id="hair" x1="0" y1="0" x2="1" y2="1">
        <stop offset="0" stop-color="#4b3326" />
        <stop offset="1" stop-color="#1f1511" />
      </linearGradient>
      <linearGradient id="jacket" x1="0" y1="0" x2="1" y2="1">
        <stop offset="0" stop-color="#2c3e63" />
        <stop offset="1" stop-color="#131d35" />
      </linearGradient>
      <radialGradient id="vignette" cx="0.5" cy="0.45" r="0.75">
        <stop offset="0.6" stop-color="#000" stop-opacity="0" />
        <stop offset="1" stop-color="#000" stop-opacity="0.5" />
      </radialGradient>
    </defs>
  );
}

function Studio() {
  return (
    <g>
      <rect width="1600" height="900" fill="url(#studio)" />
      <g opacity="0.5">
        <rect x="90" y="110" width="330" height="200" rx="10" fill="#24507a" />
        <rect x="90" y="340" width="330" height="200" rx="10" fill="#1c3f63" />
        <rect x="1180" y="110" width="330" height="200" rx="10" fill="#1c3f63" />
        <rect x="1180" y="340" width="330" height="200" rx="10" fill="#24507a" />
        <path d="M120 270c60-70 90 20 140-40s80-60 130-20" stroke="#7fc3ea" stroke-width="6" fill="none" />
        <path d="M1210 500h60v-60h50v30h60v-80h60v110" stroke="#7fc3ea" stroke-width="6" fill="none" />
        <circle cx="255" cy="440" r="58" stroke="#7fc3ea" stroke-width="6" fill="none" />
        <path
          d="M197 440h116M255 382c-40 36-40 80 0 116M255 382c40 36 40 80 0 116"
          stroke="#7fc3ea"
          stroke-width="4"
          fill="none"
        />
        <path
          d="M1220 170h210M1220 210h250M1220 250h150"
          stroke="#7fc3ea"
          stroke-width="10"
          stroke-linecap="round"
        />
      </g>
      <rect width="1600" height="900" fill="url(#glow)" />
    </g>
  );
}

function Shoulders() {
  return (
    <g>
      <path d="M712 610h176v150l-88 70-88-70Z" fill="url(#neck)" />
      <path
        d="M330 900c10-150 120-190 250-214 62-12 104-26 132-50l88 130 88-130c28 24 70 38 132 50 130 24 240 64 250 214Z"
        fill="url(#jacket)"
      />
      <path
        d="M712 640 800 770l-46 130H700l-52-216c28-10 48-24 64-44ZM888 640 800 770l46 130h54l52-216c-28-10-48-24-64-44Z"
        fill="#eef3f9"
      />
      <path d="m800 770-28 32 14 98h28l14-98-28-32Z" fill="#b3413a" />
      <path
        d="M648 684 590 760l64 34-34 40 74 66h6l-52-216ZM952 684l58 76-64 34 34 40-74 66h-6l52-216Z"
        fill="#1a2643"
      />
    </g>
  );
}

function Head() {
  return (
    <g>
      <path d="M590 420c-30-190 70-300 214-300s242 104 206 300l-20 60H606Z" fill="url(#hair)" />
      <ellipse cx="606" cy="440" rx="26" ry="46" fill="#d39a72" />
      <ellipse cx="994" cy="440" rx="26" ry="46" fill="#b1714b" />
      <path
        d="M612 370c0-130 80-180 188-180s188 50 188 180c0 60-2 120-22 178-26 76-98 134-166 134s-140-58-166-134c-20-58-22-118-22-178Z"
        fill="url(#skin)"
      />
      <path
        d="M604 392c-6-118 70-178 130-190 130-4 206 20 262 190 20-40 20-90 4-136-26-76-96-116-196-116-112 0-186 44-206 130-8 40-6 84 6 122Z"
        fill="url(#hair)"
      />
    </g>
  );
}

function Features() {
  return (
    <g>
      <path
        d="M672 352c26-20 66-20 92-4M836 348c26-16 66-16 92 4"
        stroke="#3a2619"
        stroke-width="13"
        stroke-linecap="round"
        fill="none"
      />
      <Eye x={720} />
      <Eye x={880} />
      <path
        d="M806 404c4 36 14 62 20 78 4 14-10 22-28 22-10 0-18-2-24-6"
        stroke="#a8673f"
        stroke-width="8"
        stroke-linecap="round"
        fill="none"
        opacity="0.75"
      />
      <path d="M734 556c22-12 44-18 66-12 22-6 44 0 66 12-18 24-40 34-66 34s-48-10-66-34Z" fill="#b5564d" />
      <path
        d="M734 556c44 8 88 8 132 0"
        stroke="#7d332d"
        stroke-width="5"
        stroke-linecap="round"
        fill="none"
      />
      <path
        d="M770 626c20 8 40 8 60 0"
        stroke="#a8673f"
        stroke-width="6"
        stroke-linecap="round"
        fill="none"
        opacity="0.5"
      />
    </g>
  );
}

function Eye({ x }: { x: number }) {
  return (
    <g transform={`translate(${x} 402)`}>
      <path d="M-44 2C-24-22 24-22 44 2 24 20-24 20-44 2Z" fill="#fbf7f2" />
      <circle cx="0" cy="-1" r="17" fill="#3f6b78" />
      <circle cx="0" cy="-1" r="8" fill="#101820" />
      <circle cx="6" cy="-7" r="4.5" fill="#fff" />
      <path
        d="M-46 2C-24-24 24-24 46 2"
        stroke="#3a2619"
        stroke-width="6"
        stroke-linecap="round"
        fill="none"
      />
    </g>
  );
}
