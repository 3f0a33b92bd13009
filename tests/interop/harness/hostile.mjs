/** What a peer may send to break a reader's stream: the data of signals, as JSON. */

export const HOSTILE = [
  `"a\\n\\nevent: evil\\ndata: {}\\n\\n"`,
  `"a\\r\\rid: 0\\revent: evil\\rdata: {}\\r\\r"`,
  `"a\\r\\n\\r\\nretry: 1\\r\\n\\r\\n"`,
  // White space between tokens is the server's to take away.
  `{\n\n"event"\r\n:\r"evil"\t,\n\n"data":\n[\n]\n\n}\n\n`,
  `"\u2028\u2029\u0085 raw \\u2028\\u2029\\u0085 told"`,
  `"\\u0000 \\u0001\\u001b[2J\\u007f \u007f"`,
  `"\\ud800 alone, \\udc00 too"`,
  `"😀 \\ud83d\\ude00 👩\u200d👩\u200d👧 \ufeff\ufffe e\u0301 \u202eevil"`,
  `": a comment"`,
  `"data: data: data:"`,
  `""`,
  `null`,
  `" "`,
  `{"":{"id":"1","event":"end","data":"{}","retry":"never"},"__proto__":1,"":2}`,
  `[0.1e-7,1E400,123456789012345678901234567890,-0,[[[[[[]]]]]]]`,
  `"${"x".repeat(60 * 1024)}"`,
  `"${"€".repeat(20 * 1024)}"`,
];
