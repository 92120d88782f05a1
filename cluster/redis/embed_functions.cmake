# Writes a C source with the function library as one string. Run as a script:
#   cmake -DOUT=file.c -DLUA=a.lua;b.lua -P embed_functions.cmake
# The version is a digest of the text, so it changes when and only when the text does.
set(text "")
foreach(file ${LUA})
  file(READ ${file} part)
  string(APPEND text "${part}\n")
endforeach()
string(SHA256 digest "${text}")
string(SUBSTRING ${digest} 0 8 version)
set(name "skein_${version}")
set(text "#!lua name=${name}\nlocal LIBRARY = '${name}'\n\n${text}")
string(REPLACE "\\" "\\\\" text "${text}")
string(REPLACE "\"" "\\\"" text "${text}")
# One line of text per line of C.
string(REPLACE "\n" "\\n\"\n\t\"" text "${text}")
file(WRITE ${OUT} "/* Made by cluster/redis/embed_functions.cmake. */
#include \"skein/cluster/redis_functions.h\"

const char redis_functions_name[] = \"${name}\";
const char redis_functions_version[] = \"${version}\";
const char redis_functions_source[] =
\t\"${text}\";
")
