{{/* The key of an account's credential in the chart's Secret. It goes by the account's name and not by its place, so
     that no account is ever read by the credential of another while a change of the list arrives piece by piece. */}}
{{- define "metaaccess-exporter.credentialKey" -}}
{{- $words := regexReplaceAll "[^a-z0-9]+" (lower .) "-" | trimAll "-" | trunc 40 | trimSuffix "-" -}}
{{- printf "account-%s%s" (ternary "" (printf "%s-" $words) (empty $words)) (sha256sum . | trunc 12) -}}
{{- end -}}

{{/* The file of an account's credential: (list $ NAME SOURCE). Accounts with one key of one Secret have one file: the
     exporter tells by it that they share their requests. */}}
{{- define "metaaccess-exporter.credentialFile" -}}
{{- $source := index . 2 -}}
{{- if $source.file -}}
{{- $source.file -}}
{{- else if $source.existingSecret -}}
{{- printf "%s/%s" (include "metaaccess-exporter.secretFolder" $source.existingSecret) $source.key -}}
{{- else -}}
{{- printf "%s/%s" (include "metaaccess-exporter.configFolder" (first .)) (include "metaaccess-exporter.credentialKey" (index . 1)) -}}
{{- end -}}
{{- end -}}

{{/* The file of --config.file. */}}
{{- define "metaaccess-exporter.accountsFile" -}}
{{- $accounts := list -}}
{{- range $account := .Values.accounts -}}
{{- $written := omit $account "client_secret" "access_token" -}}
{{- range $kind := list "client_secret" "access_token" -}}
{{- with get $account $kind -}}
{{- $_ := set $written (printf "%s_file" $kind) (include "metaaccess-exporter.credentialFile" (list $ $account.name .)) -}}
{{- end -}}
{{- end -}}
{{- $accounts = append $accounts $written -}}
{{- end -}}
{{- dict "accounts" $accounts | toYaml -}}
{{- end -}}

{{/* What the chart's own ConfigMap holds, by key. */}}
{{- define "metaaccess-exporter.configData" -}}
{{- $data := dict -}}
{{- if not .Values.demo -}}
{{- $_ := set $data "accounts.yml" (include "metaaccess-exporter.accountsFile" .) -}}
{{- with .Values.api.ca.value -}}
{{- $_ := set $data "ca.crt" . -}}
{{- end -}}
{{- if .Values.state.url -}}
{{- with .Values.state.ca.value -}}
{{- $_ := set $data "database-ca.crt" . -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $data -}}
{{- end -}}

{{/* What the chart's own Secret holds, by key. */}}
{{- define "metaaccess-exporter.secretData" -}}
{{- $data := dict -}}
{{- range $account := .Values.accounts -}}
{{- range $source := list .client_secret .access_token -}}
{{- with $source -}}
{{- with .value -}}
{{- $_ := set $data (include "metaaccess-exporter.credentialKey" $account.name) (b64enc .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.metrics.hostnameKey.value -}}
{{- $_ := set $data "hostname-key" (b64enc .) -}}
{{- end -}}
{{- with .Values.state.password.value -}}
{{- $_ := set $data "database-password" (b64enc .) -}}
{{- end -}}
{{- with .Values.web.config.value -}}
{{- $_ := set $data "web.yml" (toYaml . | b64enc) -}}
{{- end -}}
{{- toJson $data -}}
{{- end -}}
