"""The door for agents: the knowledges of a store, and what world models can do, as tools of MCP.

MCP is the Model Context Protocol (modelcontextprotocol.io), and the server is that of its official SDK.
`foretell serve` opens the door at `/mcp`, with the keys and limits of the service. `foretell mcp` opens it over
standard input and output.

Read on in this order: desk (what a tool works with), tool (a tool is a class), read, write, see (the tools), server,
http and stdio. `retrievers` has classes for other libraries.
"""
