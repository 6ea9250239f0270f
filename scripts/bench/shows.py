"""shows.py WRITER READER COUNT: seconds until a file that one mount has made shows in a folder that
another mount has listed, the 99th of a hundred."""
import os
import sys
import time

writer, reader, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
took = []
for number in range(count):
    name = f"shows{number}"
    assert name not in os.listdir(reader)
    with open(os.path.join(writer, name), "w") as file:
        file.write("x")
    closed = time.monotonic()
    while name not in os.listdir(reader):
        pass
    took.append(time.monotonic() - closed)
print(sorted(took)[int(len(took) * 0.99)])
