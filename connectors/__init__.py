"""Sources a person's mobility leaves traces in: pull with a cursor, push, file. See README.md."""
