// Hands over what was typed behind a command as it is. In the page itself opencode would run what looks like a shell's.
const LINES = {
  "team-release": "/team:release"
}
const MARK = "<stretto-typed/>"

export const TeamCommands = async () => ({
  "command.execute.before": async (input, output) => {
    if (!Object.hasOwn(LINES, input.command)) return
    const line = `${LINES[input.command]} ${input.arguments}`.trim()
    for (const part of output.parts) {
      if (part.type === "text") part.text = part.text.split(MARK).join(line)
      if (part.type === "subtask") part.prompt = part.prompt.split(MARK).join(line)
    }
  },
})
